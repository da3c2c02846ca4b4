"""Spans as workers hand them over to the monitor: a few values, packed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Span(msgspec.Struct, array_like=True, frozen=True):
    """One piece of work in a trace. Ids in hexadecimal, `parent_id` "" for none; times in ns since 1970.

    `is_server`: the request of a client, else one to a server. `error` says why it failed, "": it did not.
    """

    trace_id: str
    span_id: str
    parent_id: str
    state: str
    name: str
    is_server: bool
    start_ns: int
    end_ns: int
    error: str
    attributes: dict[str, str | int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Span]).decode


def pack(spans: Sequence[Span]) -> bytes:
    """Return spans as one message."""
    return _encode(spans)


def unpack(message: bytes) -> list[Span]:
    """Return the spans of a message; raises ValueError when it is none."""
    return _decode(message)
