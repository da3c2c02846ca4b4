"""The part of a request body that had not arrived with the head: sent on by a greenlet of its own.

So the story can read the response at the same time: servers may answer early, or answer while they read.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import GatewayError
from gproxy.worker.body import read_piece
from gproxy.worker.deadlines import NEVER
from gproxy.worker.link import ClientGone, hub
from gproxy.worker.upstream import Upstream, UpstreamBroken

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange


log = logging.getLogger(__name__)


class _Abandoned(Exception):
    """The response is over and nobody wants the rest of the body."""


class Upload:
    """Pumps the rest of a body from client to server; `done` once all of it was sent on.

    `broken`: the server reset the connection meanwhile. The system reports that once, so a reader of the response
    would take it for an honest end. `kept_s`: how long the client was waited for.

    When the client fails (gone, too slow, bad chunk), the greenlet that waits for the response is told. When the
    server stops taking the body, its answer, or the lack of one, decides. Who is waited for has to keep the time
    limits: a client that makes the total time pass gets 408, and no server is blamed for it.
    """

    __slots__ = (
        "_abandoned",
        "_client",
        "_exchange",
        "_pace",
        "_response_s",
        "_tee",
        "_upstream",
        "_waits",
        "broken",
        "done",
        "kept_s",
    )

    def __init__(self, exchange: Exchange, upstream: Upstream, response_s: float) -> None:
        self._exchange = exchange
        self._client = exchange.client
        self._upstream = upstream
        self._response_s = response_s
        self._pace = self._client.runtime.pace()
        self._abandoned = False
        self.broken = False
        self.done = False
        self.kept_s = 0.0
        self._tee = exchange.tee if exchange.node.is_mirrored else None
        # The server's time to answer runs from the end of the body; a client that waits for 100 Continue sends
        # nothing before the server has spoken.
        self._waits = exchange.fields.expects_continue and not exchange.body
        upstream.deadlines.set(upstream, exchange.until(response_s if self._waits else 0))
        exchange.client.runtime.start_soon(self._run)

    def continued(self) -> None:
        """The server has said 100 Continue: it is the client's turn."""
        if self._waits:
            self._waits = False
            self._upstream.deadline = NEVER
            self._client.deadlines.set(self._client, min(self._pace.wait(monotonic()), self._exchange.deadline))

    def abandon(self) -> None:
        """Stop reading the client; called by the story when the response is over."""
        self._abandoned = True
        hub.loop.run_callback(self._client.interrupt, _Abandoned())

    def _run(self) -> None:
        try:
            if not self._abandoned:
                self._pump()
                self.done = not self._abandoned
                if self.done:
                    self._client.owes_body = False
                    self._client.arm()  # it may have left while the server took the last of the body
            self._expect_answer(self._response_s)
        except _Abandoned:
            pass
        except UpstreamBroken:
            self.broken = True
            self._expect_answer(self._response_s)
        except (ClientGone, GatewayError) as error:
            self._give_up(error)
        except Exception:
            log.exception("an upload failed", extra={"request_id": self._exchange.request_id.decode("ascii")})
            self._give_up(GatewayError("The gateway failed to handle this request.", "see the traceback"))
        finally:
            del self._exchange  # it holds this upload: a cycle would keep both, and the body, until a collection

    def _give_up(self, error: Exception) -> None:
        if not self._abandoned:
            self._client.deadline = NEVER
            hub.loop.run_callback(self._tell, error)

    def _expect_answer(self, within_s: float) -> None:
        """Limit the wait for the answer (0: to the total time), unless it has come: its body has limits of its own."""
        if not self._abandoned and not self._exchange.status:
            self._upstream.deadlines.set(self._upstream, self._exchange.until(within_s))

    def _tell(self, error: Exception) -> None:
        if self._client.waits_for is self._upstream:
            self._upstream.interrupt(error)

    def _pump(self) -> None:
        exchange = self._exchange
        decoder, limit = exchange.decoder, exchange.client.runtime.body_bytes
        left = exchange.left
        while left:
            data = self._next_part() if decoder is not None and decoder.has_more else self._read(left)
            if self._abandoned:  # in this very turn of the loop: the upstream is closed
                return
            self._expect_answer(0)
            if decoder is None:
                left -= len(data)
                exchange.received += len(data)
            else:
                data = exchange.take_chunks(decoder, data, limit)
                if decoder.done:
                    exchange.client.buffer = decoder.rest
                    left = 0
            if self._tee is not None:
                self._tee.take(data)
            if data:
                self._upstream.send(data)

    def _next_part(self) -> bytes:
        """Let others have their turn before more of what has come is decoded."""
        self._client.runtime.next_turn.wait()
        return b""

    def _read(self, left: int) -> bytes:
        """Wait for the client, while no time of the server's runs unless it has to say first that it wants the body."""
        if self._waits:
            data = read_piece(self._client, left, None)
            self._waits = False
            return data
        exchange, began = self._exchange, monotonic()
        if not exchange.status:
            self._upstream.deadline = NEVER
        data = read_piece(self._client, left, self._pace, exchange.deadline)
        self.kept_s += monotonic() - began
        return data
