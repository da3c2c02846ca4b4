"""What the heads of parts mean for the whole: how a body is to be read, cookies, Vary, and how long it may be stored.

Everything else that a server says about its own answer is not true of the whole, validators above all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from gproxy.core.directives import directives
from gproxy.core.http1 import split_fields
from gproxy.core.http_date import parse

_CHARSET: Final = re.compile(rb';\s*charset\s*=\s*"?([A-Za-z0-9._:+-]+)', re.IGNORECASE)
_DIGITS: Final = re.compile(rb"\d{1,9}")
#: Directives of which one that says them binds the whole (RFC 9111 section 5.2.2), the stronger ones first.
_RESTRICTIONS: Final = (b"no-store", b"private", b"no-cache", b"must-revalidate", b"proxy-revalidate", b"no-transform")
#: What lets shared caches store even answers to somebody who has said who he is (RFC 9111 section 3.5).
_PERMISSIONS: Final = frozenset((b"public", b"must-revalidate", b"s-maxage"))
#: Heads are remembered, as servers repeat theirs: so many, each of so many bytes at most.
_KNOWN_HEADS, _KNOWN_BYTES = 1024, 2048


class Kind(Enum):
    """What the type of a body says of it; UNSAID leaves it to the body."""

    JSON = "json"
    TEXT = "text"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Caching:
    """What Cache-Control, Expires and Age say: directives in lower case, and for how many seconds it is fresh.

    That is from now on, and None is unsaid; `shared_s` is for shared caches.
    """

    directives: frozenset[bytes]
    fresh_s: int | None
    shared_s: int | None

    @property
    def most_s(self) -> int | None:
        """For how many seconds it is fresh in a shared cache."""
        return self.fresh_s if self.shared_s is None else self.shared_s


UNSAID: Final = Caching(frozenset(), None, None)


@dataclass(frozen=True, slots=True)
class PartHead:
    """What counts of one head. `cookies` are its Set-Cookie lines, `vary` the names in lower case.

    `is_silent`: there is nothing in it for the head of the whole.
    """

    kind: Kind
    charset: str
    coding: bytes
    cookies: bytes
    vary: frozenset[bytes]
    caching: Caching
    is_silent: bool


def part_head(lines: bytes) -> PartHead:
    """Return what a head (status line and field lines) means."""
    return _remembered(lines) if len(lines) <= _KNOWN_BYTES else _parsed(lines)


def _parsed(lines: bytes) -> PartHead:
    fields: dict[bytes, list[bytes]] = {}
    for name, value in split_fields(lines.partition(b"\r\n")[2]):
        fields.setdefault(name.lower(), []).append(value)
    media = fields.get(b"content-type", [b""])[0]
    charset = _CHARSET.search(media)
    cookies = b"".join([b"Set-Cookie: %b\r\n" % value for value in fields.get(b"set-cookie", ())])
    vary = {name.strip().lower() for value in fields.get(b"vary", ()) for name in value.split(b",")} - {b""}
    caching = _caching(fields)
    return PartHead(
        kind=_kind(media),
        charset=charset[1].decode("ascii") if charset else "",
        coding=b", ".join(fields.get(b"content-encoding", ())).lower(),
        cookies=cookies,
        vary=frozenset(vary),
        caching=caching,
        is_silent=not cookies and not vary and caching is UNSAID,
    )


_remembered = lru_cache(maxsize=_KNOWN_HEADS)(_parsed)


def _kind(media: bytes) -> Kind:
    name = media.partition(b";")[0].strip().lower()
    if name in (b"", b"application/octet-stream"):
        return Kind.UNSAID
    return Kind.JSON if name in (b"application/json", b"text/json") or name.endswith(b"+json") else Kind.TEXT


def _caching(fields: Mapping[bytes, Sequence[bytes]]) -> Caching:
    if b"cache-control" not in fields and b"expires" not in fields:
        return UNSAID
    said = directives(fields.get(b"cache-control", ()))
    fresh_s, shared_s = _seconds(said.get(b"max-age")), _seconds(said.get(b"s-maxage"))
    if b"max-age" not in said and b"expires" in fields:
        fresh_s = _until_expiry_s(fields)
    old_s = _seconds(fields.get(b"age", (b"0",))[0]) or 0
    return Caching(
        frozenset(said),
        None if fresh_s is None else max(0, fresh_s - old_s),
        None if shared_s is None else max(0, shared_s - old_s),
    )


def _until_expiry_s(fields: Mapping[bytes, Sequence[bytes]]) -> int:
    """Return for how long Expires says that an answer is fresh; 0 when nobody can say (RFC 9111 section 5.3)."""
    expires, date = (parse(fields.get(name, (b"",))[0]) for name in (b"expires", b"date"))
    return 0 if expires is None or date is None else max(0, expires - date)


def _seconds(value: bytes | None) -> int | None:
    return int(value) if value is not None and _DIGITS.fullmatch(value) else None


def merged(heads: Sequence[PartHead | None], is_complete: bool) -> bytes:
    """Return the field lines that the parts give the whole; None stands for one that has no head.

    Cookies of all; how long the whole may be stored only when it is complete.
    """
    for head in heads:
        if head is not None and not head.is_silent:
            break
    else:
        return b""
    lines = b"".join([head.cookies for head in heads if head is not None])
    vary = frozenset[bytes]().union(*[head.vary for head in heads if head is not None])
    if vary:
        lines += b"Vary: %b\r\n" % (b"*" if b"*" in vary else b", ".join(sorted(vary)))
    if is_complete:
        caching = cache_control([UNSAID if head is None else head.caching for head in heads])
        if caching:
            lines += b"Cache-Control: %b\r\n" % caching
    return lines


def cache_control(parts: Sequence[Caching]) -> bytes:
    """Return the Cache-Control of what these parts make together, b"" when nothing can be said.

    What one forbids is forbidden. It is fresh as long as the one that is so for the shortest time, if all say how long.
    What is also a permission is said only when all of them give one: an answer for one client may be among them.
    """
    found = [name for name in _RESTRICTIONS if any(name in part.directives for part in parts)]
    if b"no-store" in found:
        return b"no-store"
    is_for_all = b"private" not in found and not any(_PERMISSIONS.isdisjoint(part.directives) for part in parts)
    if not is_for_all and b"must-revalidate" in found:
        found = [b"proxy-revalidate", *(name for name in found if b"-revalidate" not in name)]
    if is_for_all and all(b"public" in part.directives for part in parts):
        found.append(b"public")
    fresh = [part.fresh_s for part in parts if part.fresh_s is not None]
    shared = [seconds for part in parts if (seconds := part.most_s) is not None]
    if len(fresh) == len(parts):
        found.append(b"max-age=%d" % min(fresh if is_for_all else fresh + shared))
    if is_for_all and len(shared) == len(parts) and any(part.shared_s is not None for part in parts):
        found.append(b"s-maxage=%d" % min(shared))
    return b", ".join(found)


def most_s(heads: Sequence[PartHead | None]) -> float:
    """Return how long a shared cache may keep the whole at most, as far as parts say how long; inf when none does."""
    said = [head.caching.most_s for head in heads if head is not None]
    return min([seconds for seconds in said if seconds is not None], default=float("inf"))
