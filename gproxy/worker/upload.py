"""The part of a request body that had not arrived with the head: sent on by a greenlet of its own.

So the story can read the response at the same time: servers may answer early, or answer while they read.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import GatewayError
from gproxy.worker.connection import ClientGone
from gproxy.worker.deadlines import NEVER
from gproxy.worker.link import RECV_BYTES, hub
from gproxy.worker.upstream import Upstream, UpstreamBroken

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange


class _Abandoned(Exception):
    """The response is over and nobody wants the rest of the body."""


class Upload:
    """Pumps the rest of a body from client to server; `done` once all of it was sent on.

    When the client fails (gone, too slow, bad chunk), the greenlet that waits for the response is told. When the
    server stops taking the body, its answer, or the lack of one, decides.
    """

    __slots__ = ("_abandoned", "_exchange", "_response_s", "_upstream", "done")

    def __init__(self, exchange: Exchange, upstream: Upstream, response_s: float) -> None:
        self._exchange = exchange
        self._upstream = upstream
        self._response_s = response_s
        self._abandoned = False
        self.done = False
        # The server's time to answer runs from the end of the body; a client that waits for 100 Continue sends
        # nothing before the server has spoken.
        waits = exchange.fields.expects_continue and not exchange.body
        upstream.deadlines.set(upstream, exchange.until(response_s if waits else 0))
        exchange.client.runtime.start_soon(self._run)

    def abandon(self) -> None:
        """Stop reading the client; called by the story when the response is over."""
        self._abandoned = True
        hub.loop.run_callback(self._exchange.client.interrupt, _Abandoned())

    def _run(self) -> None:
        exchange, upstream = self._exchange, self._upstream
        client = exchange.client
        try:
            if not self._abandoned:
                self._pump()
            if self._abandoned:
                return
            self.done = True
            client.deadline = NEVER
            if not exchange.status:
                upstream.deadlines.set(upstream, exchange.until(self._response_s))
        except (_Abandoned, UpstreamBroken):
            pass
        except (ClientGone, GatewayError) as error:
            client.deadline = NEVER
            if not self._abandoned:
                hub.loop.run_callback(self._tell, error)

    def _tell(self, error: Exception) -> None:
        if self._exchange.client.waits_for is self._upstream:
            self._upstream.interrupt(error)

    def _pump(self) -> None:
        exchange = self._exchange
        decoder, limit = exchange.decoder, exchange.client.runtime.body_bytes
        waits = exchange.fields.expects_continue and not exchange.body
        left = exchange.left
        while left and not self._abandoned:
            data = self._read(left, waits)
            if waits:
                waits = False
                self._upstream.deadlines.set(self._upstream, exchange.deadline)
            if decoder is None:
                left -= len(data)
                exchange.received += len(data)
            else:
                data = exchange.take_chunks(decoder, data, limit)
                if decoder.done:
                    exchange.client.buffer = decoder.rest
                    left = 0
            if data:
                self._upstream.send(data)

    def _read(self, left: int, waits: bool) -> bytes:
        client = self._exchange.client
        client.deadlines.set(client, NEVER if waits else monotonic() + client.deadlines.stall_s)
        data = client.recv(RECV_BYTES if left < 0 else min(left, RECV_BYTES))
        if not data:
            client.gone = True
            raise ClientGone("closed by the client")
        return data
