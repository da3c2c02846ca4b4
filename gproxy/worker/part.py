"""A request of the gateway's own on behalf of a client's: a part of an aggregation, or a mirrored copy.

It goes through the same choice of a server, attempts, limits and circuits as any exchange. Its answer is collected,
and in the place of the client stands somebody who can only leave.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from gproxy.core.errors import GatewayError, UpstreamTimeout
from gproxy.core.http1 import ResponseHead
from gproxy.worker.collect import collect
from gproxy.worker.exchange import Exchange
from gproxy.worker.link import ClientGone

if TYPE_CHECKING:
    from gproxy.core.node import Node
    from gproxy.core.part_head import PartHead
    from gproxy.worker.connection import Client
    from gproxy.worker.pause import Pause
    from gproxy.worker.record import Recorder
    from gproxy.worker.upstream import Upstream

log = logging.getLogger(__name__)

#: Has an exchange answered by a server of the node's cluster, see Dispatcher.send.
Send = Callable[[Exchange, "Node"], None]


class StandIn:
    """What a request of the gateway's own has for a client. `gone`: nobody wants the answer any more."""

    __slots__ = ("gone", "origin", "runtime", "waits_for")

    def __init__(self, client: Client) -> None:
        self.runtime = client.runtime
        self.origin = client.origin
        self.gone = False
        self.waits_for: Upstream | Pause | None = None

    def send(self, data: bytes) -> None:
        """Ignore an interim response."""


class Part(Exchange):
    """A request to `node` that says what `whole` says. The body of `whole` must have been read, or be given.

    `head` and `data` are the answer once it has come, `failure` why it has not. At most `most` bytes of a body are
    taken.
    """

    __slots__ = ("data", "failure", "head", "most")

    #: Whether its failure is worth a line in the log.
    is_told: ClassVar[bool] = True

    def __init__(self, whole: Exchange, node: Node, most: int, body: bytes | None = None) -> None:
        self.node = node
        self.most = most
        self.client = StandIn(whole.client)  # type: ignore[assignment]
        self.api = whole.api
        self.method = whole.method if node.method is None else node.method
        self.target, self.values = whole.target, whole.values
        self.minor, self.fields, self.forward = whole.minor, whole.fields, whole.forward
        self.request_id = whole.request_id
        if whole.api is not None and whole.api.before:  # else nobody has found out who it is
            consumer = getattr(whole, "consumer", None)
            if consumer is not None:
                self.consumer = consumer
        self.body = self.whole = whole.whole_body() if body is None else body
        self.left, self.upload, self.decoder = 0, None, None
        self.received, self.sent = len(self.body), 0
        self.keeps_alive = True
        self.started = self.attempted = monotonic()
        self.deadline = whole.deadline
        self.answered, self.status, self.code, self.reason = 0.0, 0, "", ""
        self.server, self.trial, self.upgrade = None, None, None
        tracer = self.client.runtime.tracer
        if tracer is not None:
            self.trace = tracer.of(whole).for_part()
        self.head: ResponseHead | None = None
        self.data = b""
        self.failure: GatewayError | None = None

    def receive(self, upstream: Upstream, head: ResponseHead, data: bytes) -> bool:
        """Take the answer; return whether the upstream can be used again. Raises what `collect` does."""
        self.head, self.status = head, head.status
        self.sent = len(head.lines) + len(data)
        self.data, reusable = collect(self, upstream, head, data, self.most)
        self.sent = len(head.lines) + len(self.data)
        return reusable

    def run(self, send: Send, recorder: Recorder) -> None:
        """Have it answered, and recorded at the server; whatever happens is told by `head`, `failure` and `code`."""
        try:
            if self.server is None:  # else it is on its way
                self._begin()
            send(self, self.node)
            self.judge()
        except GatewayError as error:
            self.fail(error)
        except ClientGone:
            self.status, self.code = 499, "client_gone"
        except Exception:
            log.exception("a part of a request failed", extra={"request_id": self.request_id.decode("ascii")})
            self.fail(GatewayError("The gateway failed to handle this request.", "see the traceback"))
        finally:
            recorder.part_over(self, self.head.status if self.head is not None else 0)

    def _begin(self) -> None:
        if self.deadline <= self.started:
            raise UpstreamTimeout("The time for this request is over.", "not sent: the total time is over")
        if self.client.gone:
            raise ClientGone("nobody waits for the answer")

    def ended(self, now_s: float) -> None:
        """Say that it is over; called once, by whoever has it answered (part_express.py)."""

    def judge(self, seen: PartHead | None = None) -> None:
        """Look at the answer; what is raised is why there is none. `seen`: what its head means, where that is known."""

    def fail(self, error: GatewayError) -> None:
        """Note why there is no answer."""
        self.failure = error
        error.__traceback__ = error.__context__ = None  # their frames know this part: a cycle
        self.status = error.status
        self.failed(error)

    def leave(self) -> None:
        """Stop: nobody wants the answer any more. Only from the hub."""
        self.client.gone = True
        if self.client.waits_for is not None:
            self.client.waits_for.interrupt(ClientGone("nobody waits for the answer"))
