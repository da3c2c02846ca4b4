"""Takes a whole answer into memory, for those that look at answers before anybody gets them.

Nothing was sent to a client meanwhile, so whatever goes wrong can still be told in an answer of the gateway's own.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import BadUpstream, GatewayError, Stage, UpstreamTimeout
from gproxy.core.http1 import CHUNKED
from gproxy.worker.upstream import UpstreamBroken

if TYPE_CHECKING:
    from gproxy.core.http1 import ResponseHead
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.upstream import Upstream


class AnswerTooLarge(GatewayError):
    """An answer is larger than what is held in memory of one. The server has done nothing wrong."""

    status, code = 502, "answer_too_large"


def collect(exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes, most: int) -> tuple[bytes, bool]:
    """Return the body of an answer, of which `data` has arrived, and whether the upstream can be used again.

    Raises AnswerTooLarge beyond `most` bytes, UpstreamError when the server fails on the way.
    """
    if exchange.method == b"HEAD" or head.status == 204 or head.status == 304:
        return b"", not data and not head.close
    if head.length == len(data) <= most:
        return data, not head.close
    exchange.answered = monotonic()
    if head.length >= 0:
        return _by_length(exchange, upstream, head, data, most)
    return _to_its_end(exchange, upstream, head, data, most)


def _by_length(
    exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes, most: int
) -> tuple[bytes, bool]:
    if head.length > most:
        raise _too_large(most)
    found, left = [data[: head.length]], head.length - len(data)
    while left > 0:
        piece = _next(exchange, upstream)
        if not piece:
            raise _broken(f"closed {left} bytes before the end of the body")
        found.append(piece if len(piece) <= left else piece[:left])
        left -= len(piece)
    return b"".join(found), not left and not head.close


def _to_its_end(
    exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes, most: int
) -> tuple[bytes, bool]:
    """Take a body that is chunked or ends with the connection."""
    decoder = upstream.dechunker() if head.length == CHUNKED else None
    found, size = [], 0
    while True:
        if decoder is not None and data:
            try:
                data = decoder.feed_body(data)
            except ValueError as error:
                raise _broken(str(error)) from None
        size += len(data)
        if size > most:
            raise _too_large(most)
        found.append(data)
        if decoder is not None and decoder.done:
            return b"".join(found), decoder.is_reusable() and not head.close
        data = _next(exchange, upstream)
        if not data:
            if decoder is not None:
                raise _broken("closed before the end of the chunked body")
            return b"".join(found), False


def _next(exchange: Exchange, upstream: Upstream) -> bytes:
    """Wait for more of a body; b"" at the end of the connection."""
    if exchange.deadline <= monotonic():  # the wheel looks only now and then, bytes may come all the time
        raise _late("the total time is over")
    upstream.deadlines.set(upstream, exchange.until(exchange.node.response_s))
    try:
        return upstream.recv()
    except UpstreamBroken as broken:
        raise _broken(str(broken)) from None
    except UpstreamTimeout as late:
        raise _late(late.reason) from None


def _too_large(most: int) -> AnswerTooLarge:
    return AnswerTooLarge("An answer is too large to be looked at.", f"a body of more than {most} bytes")


def _broken(reason: str) -> BadUpstream:
    return BadUpstream("The server broke off its response.", f"in the body: {reason}")


def _late(reason: str) -> UpstreamTimeout:
    error = UpstreamTimeout("The server took too long to complete its response.", f"in the body: {reason}")
    error.stage = Stage.ANSWERED
    return error
