"""Request bodies that somebody wants whole: held in memory within a limit, and sent on in one piece."""

from __future__ import annotations

import re
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.chunked import ChunkedDecoder
from gproxy.core.end_state import REQUEST
from gproxy.core.errors import BodyTooLarge
from gproxy.core.http1 import CHUNKED, NO_NAMES
from gproxy.worker.deadlines import NEVER
from gproxy.worker.link import RECV_BYTES, ClientGone
from gproxy.worker.phases import phases_of

if TYPE_CHECKING:
    from gproxy.worker.connection import Client
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.pace import Pace

#: fields that a body in one piece of known length has no use for
_FRAMING = re.compile(rb"^(?:transfer-encoding|content-length|trailer|expect):[^\n]*\n", re.IGNORECASE | re.MULTILINE)


def read_piece(client: Client, left: int, pace: Pace | None, until: float = NEVER) -> bytes:
    """Wait for more of a body of which `left` bytes (-1: nobody knows) have to come; raises ClientGone, RequestTimeout.

    `pace` says how slow the client may be, None: as slow as it likes; never beyond `until` (monotonic seconds).
    """
    if pace is not None:
        until = min(until, pace.wait(monotonic()))
    client.deadlines.set(client, until)
    data = client.recv(RECV_BYTES if left < 0 else min(left, RECV_BYTES))
    if not data:
        client.gone = True
        raise ClientGone("closed by the client")
    client.deadline = NEVER  # how long others take for it is not the client's fault
    if pace is not None:
        pace.moved(len(data), monotonic())
    return data


def read_whole(exchange: Exchange) -> bytes:
    """Return the body without framing, and have it sent on with a Content-Length.

    Raises BodyTooLarge beyond `[limits] buffered_body_bytes`, BadRequest, RequestTimeout, ClientGone.
    """
    fields, client = exchange.fields, exchange.client
    if not fields.length:
        return b""
    limit = client.runtime.buffered_bytes
    _check(max(fields.length, exchange.received), limit)
    if exchange.left and fields.expects_continue and not exchange.body:
        client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = ChunkedDecoder().feed(exchange.body) if fields.length == CHUNKED else exchange.body
    if exchange.left:
        phases = phases_of(exchange)
        phases.begin(REQUEST)
        body = b"".join([body, *_rest(exchange, limit)])
        phases.end()
    if fields.length == CHUNKED or fields.expects_continue:
        exchange.fields = replace(
            fields,
            forward=_reframed(fields.forward, len(body)),
            length=len(body),
            expects_continue=False,
            trailers=NO_NAMES,
        )
        if exchange.forward is not None:
            exchange.forward = _reframed(exchange.forward, len(body))
    exchange.body = body
    return body


def _rest(exchange: Exchange, limit: int) -> list[bytes]:
    """Read what has not arrived yet."""
    client, decoder, found = exchange.client, exchange.decoder, []
    pace = client.runtime.pace()
    while exchange.left:
        if decoder is not None and decoder.has_more:
            client.runtime.next_turn.wait()
            data = b""
        else:
            data = read_piece(client, exchange.left, pace, exchange.deadline)
        if decoder is None:
            exchange.left -= len(data)
        else:
            data = decoder.feed(data)
            if decoder.done:
                client.buffer = decoder.rest
                exchange.left = 0
        exchange.received += len(data)
        _check(exchange.received, limit)
        found.append(data)
    client.owes_body = False
    return found


def _check(length: int, limit: int) -> None:
    if length > limit:
        raise BodyTooLarge(f"The request body is larger than the {limit} bytes that can be looked at here.")


def _reframed(block: bytes, length: int) -> bytes:
    return b"%bContent-Length: %d\r\n" % (_FRAMING.sub(b"", block), length)
