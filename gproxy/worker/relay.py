"""Brings a response to the client: head and body, streamed with back-pressure, ending exactly where it ends.

A body whose end only the connection would tell (RFC 9112 6.3 rule 8) is framed as chunks for the client, so that
a truncated response can never look complete; an HTTP/1.0 client gets a reset instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.chunked import chunk, last_chunk
from gproxy.core.errors import BadUpstream, UpstreamTimeout
from gproxy.core.http1 import CHUNKED, ResponseHead
from gproxy.shared import layout
from gproxy.worker.compress import begin, coder_for
from gproxy.worker.deadlines import NEVER
from gproxy.worker.dechunk import Dechunker, Measured
from gproxy.worker.link import RECV_BYTES, ClientGone
from gproxy.worker.tap import open_taps
from gproxy.worker.upstream import Upstream, UpstreamBroken

if TYPE_CHECKING:
    from gproxy.core.coder import Coder
    from gproxy.worker.exchange import Exchange

#: buffers kept for the next large bodies
_MOST_BUFFERS = 32
#: a client for which we wait less than this in all has not used up anybody's time
BLINK_S = 0.1
_buffers: list[memoryview] = []

#: Takes each piece of a body after the client.
Feed = Callable[[bytes | memoryview], None]


class ResponseBroken(Exception):
    """The server failed after the response had begun: the client is shown a broken response."""


def relay(exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes, feed: Feed | None = None) -> bool:
    """Send `head` and the body, of which `data` has arrived; return whether the upstream can be used again.

    Raises ClientGone, or ResponseBroken when the server fails on the way.
    """
    node, status, framing, coding = exchange.node, head.status, b"", b""
    if feed is None and node.taps:
        return _relay_tapped(exchange, upstream, head, data)
    if node.after:
        head = _with_lines(head, edited(exchange, head))
    if node.compression is not None:
        lines, coding = begin(exchange, node.compression, status, head.lines, head.length)
        head = _with_lines(head, lines)
    if exchange.method == b"HEAD" or status == 204 or status == 304:
        body, extra = b"", bool(data) or node.method is not None  # perhaps the server was not asked for HEAD
    elif head.length == len(data):
        body, extra = data, False
    else:
        exchange.answered = monotonic()
        if coding:
            return _relay_pieces(exchange, upstream, head, data, feed, coder_for(exchange, coding, head.length))
        return (_relay_length if head.length >= 0 else _relay_pieces)(exchange, upstream, head, data, feed)
    if exchange.left and not exchange.is_body_read():
        exchange.keeps_alive = False  # an early answer: the rest of the request is not waited for
    sent = body
    if coding and body:
        sent = coder_for(exchange, coding, len(body)).take(body, True)
        framing = b"Content-Length: %d\r\n" % len(sent)
    out = client_head(exchange, head, framing) + sent
    exchange.status = status  # not before: what a filter raises can still be answered
    exchange.sent = len(out)
    exchange.client.send(out)
    if feed is not None:
        feed(body)
    return not extra and not head.close


def _relay_tapped(exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes) -> bool:
    """Do the same while others listen in, unless a stored answer takes its place."""
    api = exchange.api
    is_bodiless = exchange.fetch.instead(head) if api is not None and api.cache is not None else None
    if is_bodiless is not None:
        return is_bodiless and not data and not head.close
    taps = open_taps(exchange, head)
    try:
        is_reusable = relay(exchange, upstream, head, data, taps.feed)
    except BaseException:
        taps.abandon()
        raise
    taps.end()
    return is_reusable


def _relay_length(exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes, feed: Feed | None) -> bool:
    """Stream a body of known length, of which `data` has arrived and perhaps more than belongs to it."""
    first = client_head(exchange, head, b"") + data[: head.length]
    exchange.status = head.status
    exchange.sent = len(first)
    kept_s = _pass_on(exchange, first)
    if feed is not None:
        feed(data[: head.length])
    left = head.length - len(data)
    if left <= 0:
        return not left and not head.close
    buffer = _buffers.pop() if _buffers else memoryview(bytearray(RECV_BYTES))
    eager = False
    try:
        while left:
            _allow_next(exchange, upstream, kept_s)
            try:
                count = upstream.recv_into(buffer if left >= RECV_BYTES else buffer[:left], eager)
            except (UpstreamBroken, UpstreamTimeout) as error:
                raise _ended(exchange, error, kept_s) from None
            if not count:
                raise ResponseBroken(f"closed {left} bytes before the end of the body")
            kept_s += _pass_on(exchange, buffer[:count])
            if feed is not None:
                feed(buffer[:count])
            exchange.sent += count
            left -= count
            eager = count == RECV_BYTES  # the socket was not emptied: more is there without waiting
    finally:
        if len(_buffers) < _MOST_BUFFERS:
            _buffers.append(buffer)
    return not head.close and upstream.is_alive()  # bytes behind the body would answer the next request


def _relay_pieces(
    exchange: Exchange,
    upstream: Upstream,
    head: ResponseHead,
    data: bytes,
    feed: Feed | None,
    coder: Coder | None = None,
) -> bool:
    """Stream a body that is chunked or ends with the connection; an HTTP/1.0 client gets it unframed.

    With a `coder` it may have a length, too: what becomes of it has none that is known before.
    """
    frames = exchange.minor == b"1"
    if not frames:
        exchange.keeps_alive = False
    decoder = _decoder(upstream, head.length)
    payload = _decode(exchange, decoder, data)
    out, kept_s = client_head(exchange, head, _framing(head) if frames else b""), 0.0
    while True:
        ended = decoder.done if decoder is not None else upstream.at_end
        sent = payload if coder is None else coder.take(payload, ended)
        out += chunk(sent) if frames else sent
        if ended and frames:
            out += last_chunk(decoder.trailers() if decoder is not None else [], head.trailers)
        if out:
            exchange.status = head.status
            exchange.sent += len(out)
            kept_s += _pass_on(exchange, out)
            if feed is not None:
                feed(payload)
        if ended:
            return decoder is not None and not head.close and decoder.is_reusable() and _is_silent(upstream, head)
        out = b""
        _allow_next(exchange, upstream, kept_s)
        payload = _decode(exchange, decoder, _next(exchange, upstream, decoder is not None, kept_s))


def _pass_on(exchange: Exchange, piece: bytes | memoryview) -> float:
    """Send a piece to the client; return how long that kept us, 0.0 where nobody counts the time."""
    if exchange.deadline == NEVER:
        exchange.client.send(piece)
        return 0.0
    began = monotonic()
    exchange.client.send(piece)
    return monotonic() - began


def _allow_next(exchange: Exchange, upstream: Upstream, kept_s: float) -> None:
    """Give the server its time for the next bytes; raises ClientGone, and what `_ended` returns at the end of all."""
    if exchange.client.gone:  # seen while something else than the server was waited for
        raise ClientGone("closed by the client")
    if exchange.deadline <= monotonic():  # the wheel sees it only while the server, not the client, is waited for
        raise _ended(exchange, "the total time is over", kept_s)
    upstream.deadlines.set(upstream, exchange.until(exchange.node.response_s))


def _ended(exchange: Exchange, reason: object, kept_s: float) -> ClientGone | ResponseBroken:
    """Return why a response ends early: the total time that a slow client has used up is no fault of the server."""
    if kept_s < BLINK_S or exchange.deadline > monotonic():
        return ResponseBroken(str(reason))
    exchange.client.runtime.count(layout.SLOW_READERS)
    return ClientGone("took the response too slowly for the total time")


def _next(exchange: Exchange, upstream: Upstream, must_go_on: bool, kept_s: float) -> bytes:
    """Wait for more of a body; at the end of the connection that is b"" and noted, or what `_ended` returns."""
    try:
        data = upstream.recv()
    except (UpstreamBroken, UpstreamTimeout) as error:
        raise _ended(exchange, error, kept_s) from None
    if not data:
        if must_go_on:
            raise ResponseBroken("closed before the end of the body")
        if exchange.upload is not None and exchange.upload.broken:
            raise ResponseBroken("reset before the end of the request, so perhaps also of the response")
        upstream.at_end = True
    return data


def _is_silent(upstream: Upstream, head: ResponseHead) -> bool:
    """Say whether nothing came behind a body; what decodes chunks knows that itself."""
    return head.length == CHUNKED or upstream.is_alive()


def _decoder(upstream: Upstream, length: int) -> Dechunker | Measured | None:
    """Return what knows where a body of this length ends, None when only the connection does."""
    if length == CHUNKED:
        return upstream.dechunker()
    return Measured(length) if length >= 0 else None


def _decode(exchange: Exchange, decoder: Dechunker | Measured | None, data: bytes) -> bytes:
    if decoder is None or not data:
        return data
    try:
        return decoder.feed_body(data)
    except ValueError as error:
        if exchange.sent:
            raise ResponseBroken(str(error)) from None
        raise BadUpstream("The server sent an invalid response.", str(error)) from None


def _framing(head: ResponseHead) -> bytes:
    if not head.trailers:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Transfer-Encoding: chunked\r\nTrailer: %b\r\n" % b", ".join(sorted(head.trailers))


def edited(exchange: Exchange, head: ResponseHead) -> bytes:
    """Return status line and field lines as the hooks of the node leave them."""
    lines = head.lines
    for after in exchange.node.after:
        lines = after(exchange, lines)
    return lines


def _with_lines(head: ResponseHead, lines: bytes) -> ResponseHead:
    return replace(head, lines=lines, head=lines + b"\r\n")


def client_head(exchange: Exchange, head: ResponseHead, framing: bytes) -> bytes:
    """Return the response head as the client gets it, with the empty line."""
    if exchange.client.runtime.draining:
        exchange.keeps_alive = False
    if exchange.keeps_alive and exchange.minor == b"1" and not framing:
        return head.head
    lines = head.lines
    if not exchange.keeps_alive:
        return b"%b%b%b\r\n" % (lines, framing, exchange.farewell())
    if exchange.minor == b"0":
        return b"%b%bConnection: keep-alive\r\n\r\n" % (lines, framing)
    return b"%b%b\r\n" % (lines, framing)
