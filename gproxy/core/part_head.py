"""What the heads of parts mean for the whole: how a body is to be read, cookies, Vary, and how long it may be stored.

Everything else that a server says about its own answer is not true of the whole, validators above all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from gproxy.core.directives import directives
from gproxy.core.http1 import split_fields

_CHARSET: Final = re.compile(rb';\s*charset\s*=\s*"?([A-Za-z0-9._:+-]+)', re.IGNORECASE)
_DIGITS: Final = re.compile(rb"\d{1,9}")
#: Directives of which one that says them binds the whole (RFC 9111 section 5.2.2), the stronger ones first.
_RESTRICTIONS: Final = (b"no-store", b"private", b"no-cache", b"must-revalidate", b"proxy-revalidate", b"no-transform")
#: Heads are remembered, as servers repeat theirs: so many, each of so many bytes at most.
_KNOWN_HEADS, _KNOWN_BYTES = 1024, 2048


class Kind(Enum):
    """What the type of a body says of it; UNSAID leaves it to the body."""

    JSON = "json"
    TEXT = "text"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Caching:
    """What Cache-Control and Age say: directives in lower case, and for how many seconds it is fresh from now on.

    None is unsaid; `shared_s` is for shared caches.
    """

    directives: frozenset[bytes]
    fresh_s: int | None
    shared_s: int | None


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
    caching = _caching(fields.get(b"cache-control", ()), fields.get(b"age", (b"0",))[0])
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


def _caching(values: Sequence[bytes], age: bytes) -> Caching:
    if not values:
        return UNSAID
    said = directives(values)
    fresh_s, shared_s = _seconds(said.get(b"max-age")), _seconds(said.get(b"s-maxage"))
    old_s = _seconds(age) or 0
    return Caching(
        frozenset(said),
        None if fresh_s is None else max(0, fresh_s - old_s),
        None if shared_s is None else max(0, shared_s - old_s),
    )


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
    """
    found = [name for name in _RESTRICTIONS if any(name in part.directives for part in parts)]
    if b"no-store" in found:
        return b"no-store"
    if b"private" not in found and all(b"public" in part.directives for part in parts):
        found.append(b"public")
    fresh = [part.fresh_s for part in parts if part.fresh_s is not None]
    if len(fresh) == len(parts):
        found.append(b"max-age=%d" % min(fresh))
    shared = [part.fresh_s if part.shared_s is None else part.shared_s for part in parts]
    known = [seconds for seconds in shared if seconds is not None]
    if len(known) == len(parts) and any(part.shared_s is not None for part in parts) and b"private" not in found:
        found.append(b"s-maxage=%d" % min(known))
    return b", ".join(found)
