"""One attempt: carries an exchange to one server and brings the response back.

With one safe resend: a reused connection may have been closed by the server in the very moment it was taken. When no
byte of an answer came, and the method is idempotent or nothing was sent, a fresh connection is tried once (RFC 9110
9.2.2, RFC 9112 9.3.1). That is not the retry feature, and a sent POST never goes out twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.end_state import CONNECT
from gproxy.core.errors import BadUpstream, RequestTimeout, Stage, UpstreamTimeout
from gproxy.core.http1 import ResponseHead
from gproxy.core.retry import IDEMPOTENT
from gproxy.shared import layout
from gproxy.worker.answer import Answers
from gproxy.worker.deadlines import NEVER
from gproxy.worker.link import ClientGone
from gproxy.worker.phases import phases_of
from gproxy.worker.relay import BLINK_S, relay
from gproxy.worker.tunnel import switch_protocols
from gproxy.worker.upload import Upload
from gproxy.worker.upstream import Pool, Upstream, UpstreamBroken

if TYPE_CHECKING:
    from gproxy.core.backends import Server
    from gproxy.core.node import Node
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.runtime import Runtime

#: Called with the status of an answer before it is passed on; raises Unwanted when it must not be.
OnHead = Callable[[int], None]
#: Makes the bytes with which a server is asked.
RequestFor = Callable[["Exchange", "Node", "Server"], bytes]
_NO_ANSWER = "The server closed the connection without an answer."


class Unwanted(Exception):
    """The server's answer is not passed on, for its status: another attempt will follow."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Carrier:
    """Makes attempts; one per worker."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cells, self._reused = runtime.cells, runtime.base + layout.UPSTREAM_REUSED
        self.answers = answers = Answers(runtime.head_bytes, runtime.head_fields)
        self._known, self._receive = answers.known, answers.receive
        self.request_for: RequestFor = runtime.tracer.request_for if runtime.tracer is not None else request_for

    def carry(
        self,
        exchange: Exchange,
        node: Node,
        server: Server,
        on_head: OnHead | None = None,
    ) -> None:
        """Proxy `exchange` through `server`.

        Raises Unwanted, UpstreamError (which says how far it came) or another GatewayError while nothing was sent to
        the client, ResponseBroken afterwards, ClientGone at any time.
        """
        if exchange.client.gone:  # while something else was waited for: nothing has to be sent any more
            raise ClientGone("closed by the client")
        runtime = self._runtime
        pool = runtime.pools.get(server) or runtime.pool(server)
        upstream = pool.take(may_be_sent_twice(exchange, node))
        if upstream is None:
            self._carry_anew(exchange, node, server, on_head)
            return
        self._cells[self._reused] += 1
        try:
            self._converse(exchange, upstream, partial(self._ask, exchange, upstream, node, server), on_head)
        except UpstreamBroken as broken:
            self._resend(exchange, broken, node, server, on_head)

    def finish(
        self, exchange: Exchange, upstream: Upstream, receive: Callable[[], bytes], on_head: OnHead | None
    ) -> None:
        """Take the answer to a request that went the short way; `receive` gets its first bytes. Raises as `carry`."""
        server = exchange.server
        assert server is not None
        try:
            self._converse(exchange, upstream, receive, on_head)
        except UpstreamBroken as broken:
            self._resend(exchange, broken, exchange.node, server, on_head)

    def _resend(
        self, exchange: Exchange, broken: UpstreamBroken, node: Node, server: Server, on_head: OnHead | None
    ) -> None:
        """A connection that was open already has ended before an answer: try a fresh one if that is safe."""
        if not _may_resend(exchange, node, broken):
            raise _no_answer(broken) from None
        self._runtime.count(layout.RESENDS)
        self._carry_anew(exchange, node, server, on_head)

    def _carry_anew(self, exchange: Exchange, node: Node, server: Server, on_head: OnHead | None) -> None:
        """Carry over a fresh connection."""
        pool = self._runtime.pools.get(server) or self._runtime.pool(server)
        upstream = self._connect(exchange, pool, node.connect_s)
        try:
            self._converse(exchange, upstream, partial(self._ask, exchange, upstream, node, server), on_head)
        except UpstreamBroken as broken:
            raise _no_answer(broken) from None

    def _connect(self, exchange: Exchange, pool: Pool, connect_s: float) -> Upstream:
        self._runtime.count(layout.UPSTREAM_CONNECTS)
        phases = phases_of(exchange)
        phases.begin(CONNECT)
        try:
            upstream = pool.connect(exchange.remaining(connect_s))
        except (BadUpstream, UpstreamTimeout) as error:
            error.stage = Stage.UNSENT
            raise
        if exchange.client.gone:
            upstream.close()
            raise ClientGone("closed by the client")
        phases.end()
        return upstream

    def _ask(self, exchange: Exchange, upstream: Upstream, node: Node, server: Server) -> bytes:
        """Send the request and return the first bytes of the answer."""
        upstream.send(self.request_for(exchange, node, server))
        if exchange.left:
            exchange.upload = Upload(exchange, upstream, node.response_s)
        else:
            deadline = monotonic() + (node.response_s or NEVER)
            if exchange.deadline < deadline:
                deadline = exchange.deadline
            upstream.deadline = deadline
            if deadline < upstream.due:
                upstream.deadlines.enter(upstream, deadline)
        return upstream.recv()

    def _converse(
        self, exchange: Exchange, upstream: Upstream, ask: Callable[[], bytes], on_head: OnHead | None
    ) -> None:
        """Relay the response of which `ask` gets the first bytes; the connection goes back to its pool or is closed.

        Raises UpstreamBroken when the connection failed before a byte of the answer came.
        """
        client = exchange.client
        client.waits_for = upstream
        reusable, idle_s = False, 0
        try:
            data = ask()
            end = data.find(b"\r\n\r\n") + 4
            head = self._known.get(data[:end])
            if head is None:
                head, data, end = self._receive(exchange, upstream, data)
                if head.status == 101:
                    if on_head is not None:
                        on_head(101)
                    switch_protocols(exchange, upstream, head, data[end:])
                    return
            idle_s = head.idle_s
            if on_head is not None:
                reusable = _is_complete(exchange, head, len(data) - end)
                on_head(head.status)
                reusable = False
            receive = exchange.receive
            if receive is None:
                reusable = relay(exchange, upstream, head, data[end:])
            else:
                reusable = receive(upstream, head, data[end:])
        except UpstreamTimeout:
            if exchange.upload is not None and exchange.upload.kept_s >= BLINK_S and exchange.deadline <= monotonic():
                self._runtime.count(layout.SLOW_BODIES)
                raise RequestTimeout("The request took too long to arrive.", "it left no time for an answer") from None
            raise
        finally:
            client.waits_for = None
            if exchange.upload is not None and not exchange.upload.done:
                exchange.upload.abandon()
                exchange.keeps_alive = reusable = False
            if reusable:
                upstream.pool.give(upstream, idle_s)
            elif not upstream.idle_since:
                upstream.close()


def request_for(exchange: Exchange, node: Node, server: Server, fields: bytes | None = None) -> bytes:
    """Return the head for the server, with these field lines or its own, and of the body what is at hand."""
    if fields is None:
        fields = exchange.outgoing()
    if not node.preserve_host or not exchange.fields.host_value:
        fields = server.host_line + fields[fields.find(b"\r\n") + 2 if exchange.fields.host_value else 0 :]
    method, target = exchange.method, exchange.target
    if node.rewrite is not None:
        target = exchange.rewritten
    if node.method is not None:
        method = node.method
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, fields, exchange.body)


def may_be_sent_twice(exchange: Exchange, node: Node) -> bool:
    """Say whether the method that the server gets is idempotent: the node's own, where it has one."""
    return (node.method or exchange.method) in IDEMPOTENT


def _may_resend(exchange: Exchange, node: Node, broken: UpstreamBroken) -> bool:
    """Nothing was sent, or the method is idempotent; and the body is still at hand from its first byte."""
    return exchange.upload is None and (broken.unsent or may_be_sent_twice(exchange, node))


def _no_answer(broken: UpstreamBroken) -> BadUpstream:
    error = BadUpstream(_NO_ANSWER, str(broken))
    error.stage = Stage.UNSENT if broken.unsent else Stage.SENT
    return error


def _is_complete(exchange: Exchange, head: ResponseHead, body_bytes: int) -> bool:
    """Say whether all of an answer has arrived and its connection is good for another one."""
    length = 0 if (exchange.node.method or exchange.method) == b"HEAD" else head.length
    return length == body_bytes and not head.close
