"""A stored answer: how old it is, how long it may be used, and how it is laid out in memory.

Times are those of the monotonic clock in seconds, which is one for all processes of a machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from struct import Struct
from typing import Final, Self

from gproxy.core.cache_request import Audience, CacheRequest
from gproxy.core.conditional import is_not_modified

_HEADER: Final = Struct("=dddIIIHBB")
_IS_CHECKED: Final = 1
_MAY_BE_STALE: Final = 2
_ETAG: Final = re.compile(rb"^etag:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_MODIFIED: Final = re.compile(rb"^last-modified:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
#: What a 304 tells of the answer (RFC 9110 section 15.4.5).
_OF_A_304: Final = re.compile(
    rb"^(?:cache-control|content-location|date|etag|expires|last-modified|vary|access-control-[a-z-]+):[^\n]*\n",
    re.IGNORECASE | re.MULTILINE,
)
HEADER_BYTES: Final = _HEADER.size


@dataclass(frozen=True, slots=True)
class Entry:
    """`lines` are status line and field lines without those of framing and age; `body` is whole, without framing.

    It was made at `born_s`, is fresh for `fresh_s` and may stand in for a server that fails for `stale_s` more.
    `audience`: whom it may be given to, and all before. `is_checked`: never without asking its server.
    `may_be_stale`: a client who says so may have it stale.
    """

    key: bytes
    lines: bytes
    body: bytes
    status: int
    born_s: float
    fresh_s: float
    stale_s: float
    audience: Audience
    is_checked: bool = False
    may_be_stale: bool = True

    def age_s(self, now_s: float) -> float:
        """Return how old it is."""
        return max(0.0, now_s - self.born_s)

    def is_for(self, audience: Audience) -> bool:
        """Say whether it may be given to those who ask so."""
        return audience <= self.audience

    def is_fresh(self, now_s: float) -> bool:
        """Say whether it answers those who ask for nothing special."""
        return not self.is_checked and self.age_s(now_s) < self.fresh_s

    def answers(self, asked: CacheRequest, now_s: float, obeys: bool) -> bool:
        """Say whether it answers without its server (RFC 9111 section 4); `obeys`: as the client wants it."""
        age_s = self.age_s(now_s)
        if self.is_checked:
            return False
        if not obeys:
            return age_s < self.fresh_s
        if asked.wants_check or age_s > asked.max_age_s:
            return False
        if age_s + asked.min_fresh_s < self.fresh_s:
            return True
        return self.may_be_stale and self.fresh_s <= age_s < self.fresh_s + asked.max_stale_s

    def stands_in(self, now_s: float) -> bool:
        """Say whether it may be given in place of a server that fails (RFC 5861 section 4)."""
        return self.stale_s > 0 and self.age_s(now_s) < self.fresh_s + self.stale_s

    def etag(self) -> bytes:
        """Return its entity tag, b"" without one."""
        found = _ETAG.search(self.lines)
        return found[1].strip() if found else b""

    def last_modified(self) -> bytes:
        """Return when it was last modified, as its server says, b"" when it does not."""
        found = _MODIFIED.search(self.lines)
        return found[1].strip() if found else b""

    def conditions(self) -> bytes:
        """Return the field lines that ask its server whether it still holds, b"" when nobody could say."""
        etag, modified = self.etag(), self.last_modified()
        lines = b"If-None-Match: %b\r\n" % etag if etag else b""
        return lines + (b"If-Modified-Since: %b\r\n" % modified if modified else b"")

    def is_known_to(self, asked: CacheRequest) -> bool:
        """Say whether the client has it already: 304 is the answer (RFC 9110 section 13.1)."""
        if self.status != 200:
            return False
        return is_not_modified(asked.if_none_match, asked.if_modified_since, self.etag(), self.last_modified())

    def lines_of_304(self) -> bytes:
        """Return the head that says so."""
        return b"HTTP/1.1 304 Not Modified\r\n" + b"".join(match[0] for match in _OF_A_304.finditer(self.lines))

    def under(self, key: bytes) -> Self:
        """Return the same entry with another key."""
        return replace(self, key=key)

    def packed(self) -> tuple[bytes, ...]:
        """Return the pieces that `unpacked` reads, without key, lines and body: those follow."""
        flags = _IS_CHECKED * self.is_checked + _MAY_BE_STALE * self.may_be_stale
        header = _HEADER.pack(
            *(self.born_s, self.fresh_s, self.stale_s, len(self.key), len(self.lines), len(self.body)),
            *(self.status, self.audience, flags),
        )
        return header, self.key, self.lines, self.body

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """Read the pieces in one; raises ValueError when they cannot be an entry."""
        if len(data) < HEADER_BYTES:
            raise ValueError("too short for an entry")
        born, fresh, stale, key_bytes, line_bytes, body_bytes, status, audience, flags = _HEADER.unpack_from(data)
        lines_at = HEADER_BYTES + key_bytes
        body_at = lines_at + line_bytes
        if len(data) < body_at + body_bytes:
            raise ValueError("an entry is longer than what there is of it")
        return cls(
            key=data[HEADER_BYTES:lines_at],
            lines=data[lines_at:body_at],
            body=data[body_at : body_at + body_bytes],
            status=status,
            born_s=born,
            fresh_s=fresh,
            stale_s=stale,
            audience=Audience(audience),
            is_checked=bool(flags & _IS_CHECKED),
            may_be_stale=bool(flags & _MAY_BE_STALE),
        )
