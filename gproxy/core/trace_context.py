"""W3C Trace Context: the fields traceparent and tracestate, read strictly (https://www.w3.org/TR/trace-context/).

A traceparent that is malformed, or there twice, begins a new trace; its tracestate goes with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

#: version, trace id, parent id, flags; what later versions have behind them is not known here (3.2.2)
_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED: Final = 1
#: key and value of a member of tracestate (3.3.1.3)
_MEMBER: Final = re.compile(
    rb"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    rb"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
#: members, and bytes of all of them, that are passed on; members longer than that go first (3.3.1.5)
_MOST_MEMBERS, _MOST_BYTES, _LONG_BYTES = 32, 512, 128
#: both fields, in whatever form a client has written them
FIELDS: Final = re.compile(rb"^(?:traceparent|tracestate):[^\n]*\n", re.IGNORECASE | re.MULTILINE)


class Parent(NamedTuple):
    """Who has sent a request in a trace; ids in lower-case hexadecimal."""

    trace_id: bytes
    span_id: bytes
    is_sampled: bool


def read_parent(values: Sequence[bytes]) -> Parent | None:
    """Return what the values of traceparent say, None when that is nothing, or not one thing."""
    found = _PARENT.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more) or not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def read_state(values: Sequence[bytes]) -> bytes:
    """Return the tracestate to pass on, b"" when there is none, or none that is well formed."""
    members = [member for member in (part.strip(b" \t") for part in b",".join(values).split(b",")) if member]
    keys = {member.partition(b"=")[0] for member in members}
    if len(members) > _MOST_MEMBERS or len(keys) < len(members) or not all(map(_MEMBER.fullmatch, members)):
        return b""
    if _size(members) > _MOST_BYTES:
        members = [member for member in members if len(member) <= _LONG_BYTES]
    while _size(members) > _MOST_BYTES:
        members.pop()
    return b",".join(members)


def _size(members: Sequence[bytes]) -> int:
    return sum(map(len, members)) + len(members) - 1


def lines(trace_id: bytes, span_id: bytes, is_sampled: bool, state: bytes) -> bytes:
    """Return the field lines for the next hop, whose parent is the span `span_id`."""
    told = b"traceparent: 00-%b-%b-0%d\r\n" % (trace_id, span_id, is_sampled)
    return b"%btracestate: %b\r\n" % (told, state) if state else told
