"""Reads response heads: interim ones are passed on, final ones are remembered, since servers repeat theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.core.errors import BadUpstream, Stage, UpstreamTimeout
from gproxy.core.http1 import ResponseHead, parse_response_head
from gproxy.worker.upstream import Upstream, UpstreamBroken

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange

#: interim responses (1xx) that one request may bring; a server that sends more is broken
_MOST_INTERIM = 20
#: response heads that were parsed before, with a bound on memory: at most this many, each at most this long
_KNOWN_HEADS, _KNOWN_BYTES = 1024, 2048


class Answers:
    """The response heads of one worker. `known` maps the bytes of a final head to what they mean."""

    def __init__(self, head_bytes: int, head_fields: int) -> None:
        self.known: dict[bytes, ResponseHead] = {}
        self._head_bytes = head_bytes
        self._head_fields = head_fields

    def receive(self, exchange: Exchange, upstream: Upstream, data: bytes) -> tuple[ResponseHead, bytes, int]:
        """Read on until the final response head, or 101, is there; pass interim ones on.

        Returns the head, the bytes received, and where in them the body begins. Raises UpstreamBroken, UpstreamError.
        """
        if not data:
            raise UpstreamBroken("closed before an answer")
        for _ in range(_MOST_INTERIM):
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                data = self._complete_head(upstream, data)
                end = data.find(b"\r\n\r\n") + 4
            head = self._parse(data[:end])
            if head.status >= 200:
                return head, data, end
            if head.status == 101:
                if exchange.upgrade is None or not exchange.upgrade.allows(head.upgrade):
                    raise BadUpstream("The server switched protocols unasked.", "unexpected status 101")
                return head, data, end
            if exchange.minor != b"0":
                exchange.client.send(head.lines + b"\r\n")
            if head.status == 100 and exchange.upload is not None:
                exchange.upload.continued()
            data = data[end:] or _more(upstream)
        raise BadUpstream("The server sent too many interim responses.", "too many interim responses")

    def final(self, head: bytes) -> ResponseHead | None:
        """Return what the bytes of a head mean; None when they are no final head, which `receive` sees to."""
        try:
            parsed = self._parse(head)
        except BadUpstream:
            return None
        return parsed if parsed.status >= 200 else None

    def _complete_head(self, upstream: Upstream, data: bytes) -> bytes:
        most = self._head_bytes
        while b"\r\n\r\n" not in data:
            if len(data) > most:
                raise BadUpstream("The server sent an invalid response.", f"response head larger than {most} bytes")
            data += _more(upstream)
        return data

    def _parse(self, head: bytes) -> ResponseHead:
        """Parse a head with its empty line, and remember what a final one means."""
        try:
            parsed = parse_response_head(head[:-2], self._head_fields)
        except ValueError as error:
            raise BadUpstream("The server sent an invalid response.", f"response head: {error}") from None
        if len(head) <= _KNOWN_BYTES and parsed.status >= 200:
            if len(self.known) >= _KNOWN_HEADS:
                self.known.clear()
            self.known[head] = parsed
        return parsed


def _more(upstream: Upstream) -> bytes:
    """Return more of an answer that has begun: no failure from here on is one before its first byte."""
    try:
        data = upstream.recv()
    except UpstreamBroken as broken:
        raise BadUpstream("The server broke off its response.", f"in the response head: {broken}") from None
    except UpstreamTimeout as error:
        error.stage = Stage.ANSWERED
        raise
    if not data:
        raise BadUpstream("The server broke off its response.", "closed within the response head")
    return data
