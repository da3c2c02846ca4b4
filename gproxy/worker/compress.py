"""Compresses answers on their way to clients, see core/compression.py.

The head decides, as filters have left it. A body that is at hand is coded whole and has a length; one that is still to
come is coded as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.core.coder import Coder
from gproxy.core.compression import coded, not_modified, varied
from gproxy.worker.turns import Turns

if TYPE_CHECKING:
    from gproxy.core.compression import Compression
    from gproxy.worker.exchange import Exchange


def begin(exchange: Exchange, rule: Compression, status: int, lines: bytes, length: int) -> tuple[bytes, bytes]:
    """Return the head of an answer as the client gets it, without what frames a coded body; and its coding, or b"".

    `length` of the body is negative when nobody knows it yet.
    """
    if status == 304:
        asked = exchange.field(b"if-none-match")
        return (not_modified(lines, asked) if asked else lines), b""
    if not rule.concerns(status, lines, length):
        return lines, b""
    coding = rule.coding(exchange.values_of(b"accept-encoding"))
    if coding and b"no-transform" in (exchange.field(b"cache-control") or b"").lower():  # RFC 9111 5.2.1.6
        coding = b""
    return (coded(lines, coding), coding) if coding else (varied(lines), b"")


def coder_for(exchange: Exchange, coding: bytes, size: int) -> Coder:
    """Return what codes a body of `size` bytes (negative: nobody knows), with turns of the loop between its steps."""
    assert exchange.api is not None
    assert exchange.api.compression is not None
    turns = Turns(exchange.client.runtime.next_turn)
    turns.begin()
    return Coder(coding, exchange.api.compression.level, size, turns.rest_if_due)


def compressed(exchange: Exchange, rule: Compression, head: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Return the head, without what frames it, and the body of a whole answer as the client gets them."""
    head, coding = begin(exchange, rule, exchange.status, head, len(body))
    if coding:
        body = coder_for(exchange, coding, len(body)).take(body, True)
    return head, body
