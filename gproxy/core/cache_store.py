"""Whether an answer may be stored, for how long and for whom: RFC 9111 section 3 for a shared cache, when in doubt not.

What the server says counts before what the configuration says. What is private, and what came with a cookie, is never
stored for others; an answer to somebody who has said who he is is stored only if the server says that it is for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gproxy.core.cache_entry import Entry
from gproxy.core.cache_request import Audience
from gproxy.core.cache_rule import CacheRule
from gproxy.core.cache_vary import vary_names
from gproxy.core.directives import directives, seconds
from gproxy.core.http1 import split_fields
from gproxy.core.http_date import parse

#: What is stored when it says how long it is fresh, and what the API's own `ttl_s` is for.
_STORABLE: Final = frozenset((200, 203, 204, 300, 301, 302, 307, 308, 404, 405, 410, 414))
_BY_TTL: Final = frozenset((200, 203, 204, 300, 301, 308))
#: Fields that are not of the stored answer: framing, its age, which is told anew, and ids of one request.
_LEFT_OUT: Final = re.compile(
    rb"^(?:content-length|age|trailer|x-request-id|cache-status):[^\n]*\n", re.IGNORECASE | re.MULTILINE
)
#: What a 304 cannot say anew: it is about the bytes that are stored (RFC 9111 section 3.2).
_OF_THE_BODY: Final = re.compile(rb"^content-(?:encoding|length|range|type):[^\n]*\n", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer: `lines` are status line and field lines with a Date, `is_delimited`: it said itself where it ends.

    It was asked for at `asked_s` and came at `came_s` (monotonic); `now_s` is the second since 1970 then.
    """

    status: int
    lines: bytes
    is_delimited: bool
    asked_s: float
    came_s: float
    now_s: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an answer: an `entry` without its body, or None and the `reason`. `vary` is in order."""

    entry: Entry | None
    reason: str = ""
    vary: tuple[bytes, ...] = ()


def verdict(rule: CacheRule, key: bytes, asked_by: Audience, answer: Received) -> Verdict:
    """Say whether an answer to a GET is stored."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in split_fields(answer.lines.partition(b"\r\n")[2]):
        fields.setdefault(name.lower(), []).append(value)
    said = directives(fields.get(b"cache-control", ()))
    vary = vary_names(fields.get(b"vary", ()))
    reason = _forbidden(answer, fields, said) or ("Vary: *" if vary is None else "")
    if reason or vary is None:
        return Verdict(None, reason)
    fresh_s = _explicit_s(fields, said, answer.now_s)
    audience = _audience(said, vary, fresh_s is not None)
    if asked_by > audience:
        return Verdict(None, "for one client" if asked_by is Audience.AUTHORIZED else "asked with a cookie")
    if fresh_s is None:
        if answer.status not in _BY_TTL or not rule.ttl_s:
            return Verdict(None, "does not say for how long")
        fresh_s = rule.ttl_s
    entry = Entry(
        key=key,
        lines=_LEFT_OUT.sub(b"", answer.lines),
        body=b"",
        status=answer.status,
        born_s=answer.came_s - _age_s(fields, answer),
        fresh_s=fresh_s,
        stale_s=_stale_s(rule, said),
        audience=audience,
        is_checked=b"no-cache" in said,
        may_be_stale=not _must_be_fresh(said),
    )
    if not entry.is_fresh(answer.came_s) and not entry.stale_s and not entry.conditions():
        return Verdict(None, "stale at once")
    return Verdict(entry, "", vary)


def freshened(rule: CacheRule, entry: Entry, answer: Received) -> Entry:
    """Return a stored answer that its server has confirmed, with what the 304 says anew (RFC 9111 section 4.3.4).

    It is as stale as before when the 304 forbids to store it, or does not say how long it is fresh.
    """
    fields = _OF_THE_BODY.sub(b"", answer.lines.partition(b"\r\n")[2])
    told = {name.lower() for name, _ in split_fields(fields)}
    kept = [line for line in entry.lines.split(b"\r\n")[1:-1] if line.partition(b":")[0].lower() not in told]
    start = entry.lines.partition(b"\r\n")[0]
    lines = b"\r\n".join([start, *kept, b""]) + fields
    again = Received(entry.status, lines, True, answer.asked_s, answer.came_s, answer.now_s)
    found = verdict(rule, entry.key, entry.audience, again).entry
    if found is None:
        return entry
    return Entry(
        entry.key,
        found.lines,
        entry.body,
        entry.status,
        found.born_s,
        found.fresh_s,
        found.stale_s,
        entry.audience,
        found.is_checked,
        found.may_be_stale,
    )


def _forbidden(answer: Received, fields: Mapping[bytes, Sequence[bytes]], said: Mapping[bytes, bytes]) -> str:
    if answer.status not in _STORABLE:
        return f"status {answer.status}"
    if not answer.is_delimited:
        return "ends with its connection"
    for name in (b"no-store", b"private"):
        if name in said:
            return name.decode("ascii")
    if b"content-range" in fields:
        return "a part only"
    if b"set-cookie" in fields and b"public" not in said:
        return "sets a cookie"
    return ""


def _explicit_s(fields: Mapping[bytes, Sequence[bytes]], said: Mapping[bytes, bytes], now_s: int) -> float | None:
    """Return how long an answer says that it is fresh from its making on (RFC 9111 section 4.2.1), None if unsaid."""
    for name in (b"s-maxage", b"max-age"):
        if name in said:
            return float(seconds(said[name]) or 0)
    if b"expires" in fields:
        expires = parse(fields[b"expires"][0]) if len(fields[b"expires"]) == 1 else None
        date = parse(fields[b"date"][0]) if b"date" in fields else None
        return 0.0 if expires is None else float(max(0, expires - (now_s if date is None else date)))
    return 0.0 if b"no-cache" in said else None


def _age_s(fields: Mapping[bytes, Sequence[bytes]], answer: Received) -> float:
    """Return how old an answer was when it came (RFC 9111 section 4.2.3)."""
    date = parse(fields[b"date"][0]) if b"date" in fields else None
    apparent_s = max(0, answer.now_s - date) if date is not None else 0
    said = fields.get(b"age", (b"",))[0]
    told_s = seconds(said) or 0 if said.isdigit() else 0
    return max(apparent_s, told_s + max(0.0, answer.came_s - answer.asked_s))


def _audience(said: Mapping[bytes, bytes], vary: Sequence[bytes], is_explicit: bool) -> Audience:
    """Return to whom an answer may be given (RFC 9111 section 3.5).

    `is_explicit`: it says how long it is fresh. Without that must-revalidate allows nothing: it restricts what is said.
    """
    if b"public" in said or b"s-maxage" in said or (is_explicit and b"must-revalidate" in said):
        return Audience.AUTHORIZED
    return Audience.WITH_COOKIE if is_explicit or b"cookie" in vary else Audience.ANYBODY


def _must_be_fresh(said: Mapping[bytes, bytes]) -> bool:
    return any(name in said for name in (b"must-revalidate", b"proxy-revalidate", b"s-maxage", b"no-cache"))


def _stale_s(rule: CacheRule, said: Mapping[bytes, bytes]) -> float:
    """Return for how long an answer may stand in for its server once it is stale (RFC 5861 section 4)."""
    if _must_be_fresh(said):
        return 0.0
    own = seconds(said.get(b"stale-if-error"))
    return max(rule.stale_s, float(own or 0))
