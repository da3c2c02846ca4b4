"""The short way through the gateway, for exchanges that wait for nothing but the answer of their server.

The story (gateway.py and what it calls) runs in a greenlet, because it may have to wait anywhere. Most requests wait
only once: they come whole, go over an open connection, and their answer comes whole. They are served by two callbacks
of the loop, `begin` and `finish`, so that a request that waits for a slow server holds no stack and no frames.

Nothing is decided here that the story would decide otherwise. `begin` leaves alone whatever is unusual, before it has
done anything; where only the API wants more, the story goes on from there. What turns out differently later is handed
to the story where it stands: a refusal, no open connection, a socket that takes no more, an answer in parts or of a
kind to be looked at, a server that breaks off or is late, a client that leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from gproxy.core.errors import GatewayError
from gproxy.core.http1 import REQUEST_LINE, parse_request_fields
from gproxy.core.retry import IDEMPOTENT
from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.exchange import Exchange
from gproxy.worker.forwarded import claimed_request_id
from gproxy.worker.relay import edited
from gproxy.worker.upstream import Upstream

if TYPE_CHECKING:
    from gproxy.core.backends import Cluster, Server
    from gproxy.core.http1 import RequestFields, ResponseHead
    from gproxy.core.node import Node
    from gproxy.core.router import Found
    from gproxy.core.snapshot import Api
    from gproxy.worker.attempt import Carrier, OnHead
    from gproxy.worker.connection import Client
    from gproxy.worker.dispatch import Carry, Dispatcher
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime

_match_request_line = REQUEST_LINE.fullmatch
_SLASH = ord("/")
#: what has no body although its head may name a length
_BODILESS = frozenset((204, 304))


class Express:
    """Takes exchanges the short way; one per worker. `enter` is where the story goes on once the API is known."""

    def __init__(
        self,
        runtime: Runtime,
        recorder: Recorder,
        carrier: Carrier,
        dispatcher: Dispatcher,
        enter: Callable[[Exchange, Api], None],
    ) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._carrier = carrier
        self._dispatcher = dispatcher
        self._junctions = dispatcher.junctions
        self._begin_whole = dispatcher.wholes.begin
        self._enter = enter
        self._known, self._final = carrier.answers.known, carrier.answers.final
        self._request_for = carrier.request_for
        self._cells, self._reused = runtime.cells, runtime.base + layout.UPSTREAM_REUSED
        self._outbox = runtime.outbox

    # -- a request has come ------------------------------------------------------------------------------------

    def begin(self, client: Client) -> bool:
        """Forward what an idle client has sent if it can go the short way; False: nothing was done."""
        runtime, data = self._runtime, client.buffer
        end = data.find(b"\r\n\r\n")
        line_end = data.find(b"\r\n")
        line = _match_request_line(data, 0, line_end) if 0 < line_end < end else None
        if line is None:
            return False
        method, target, minor = line.groups()
        block = data[line_end + 2 : end + 2]
        fields = runtime.known_blocks.get(block) or self._parse(block)
        if fields is None or len(data) != end + 4 + fields.length or not self._fits(target, minor, end, fields):
            return False
        found = self._route(method, target, fields)
        if found is None:
            return False
        client.buffer, client.deadline = b"", NEVER
        exchange = Exchange(client, method, target, minor, fields)
        if fields.claims:
            exchange.request_id = claimed_request_id(exchange) or exchange.request_id
        if fields.length:
            exchange.body = data[end + 4 :]
            exchange.received = fields.length
        exchange.values = found.values
        api: Api = found.target
        node = api.express
        if node is None:
            if api.has_express_wholes:
                self._begin_whole(exchange, api)
            else:
                self._recorder.begin()
                client.go_on(exchange, partial(self._enter, exchange, api))
            return True
        exchange.node = node
        self._recorder.begin_in(exchange, api)
        try:
            self._forward(exchange, api, node)
        except Exception as error:  # a refusal, a broken connection, or a fault of ours
            self.fail(exchange, error)
        return True

    def _fits(self, target: bytes, minor: bytes, end: int, fields: RequestFields) -> bool:
        """Say whether a request whose head ends at `end` is within the limits, and its head asks for nothing more."""
        runtime = self._runtime
        return (
            minor == b"1"
            and target[0] == _SLASH
            and not fields.expects_continue
            and end <= runtime.head_bytes
            and len(target) <= runtime.target_bytes
            and not (runtime.body_bytes and fields.length > runtime.body_bytes)
            and not runtime.draining
        )

    def _parse(self, block: bytes) -> RequestFields | None:
        """Read and remember the field lines of a request; None: the story knows what is wrong with them."""
        runtime = self._runtime
        try:
            fields = parse_request_fields(block, b"1", runtime.head_fields)
        except GatewayError:
            return None
        runtime.remember_request_fields(block, fields)
        return fields

    def _route(self, method: bytes, target: bytes, fields: RequestFields) -> Found | None:
        """Return who takes the request and the variables of its path."""
        snapshot = self._runtime.snapshot
        if snapshot is None or (snapshot.answers_preflights and method == b"OPTIONS"):
            return None
        query = target.find(b"?")
        try:
            return snapshot.router.find(fields.host, method, target if query < 0 else target[:query])
        except ValueError:
            return None

    def _forward(self, exchange: Exchange, api: Api, node: Node) -> None:
        """Send the request over an open connection, where it waits for its answer. Raises what the story would."""
        if node.total_s:
            exchange.deadline = exchange.started + node.total_s
        for before in api.before:
            before(exchange)
        if node.rewrite is not None:
            exchange.rewritten = node.rewrite.target(exchange)
        server = self._turn(node.cluster) if node.is_plain else None
        if server is None:
            if node.ways:
                node = self._junctions.enter(exchange, node)
                if not node.waits_once:
                    self._go_on(exchange, partial(self._dispatcher.send, exchange, node))
                    return
            server = self._dispatcher.choose(exchange, node)
        self._recorder.attempt(exchange, server)
        runtime, client = self._runtime, exchange.client
        pool = runtime.pools.get(server) or runtime.pool(server)
        upstream = pool.take((node.method or exchange.method) in IDEMPOTENT)
        if upstream is None:
            self._hand_over(exchange, partial(self._carrier.carry, exchange, node, server))
            return
        self._cells[self._reused] += 1
        client.waits_for = upstream
        request = self._request_for(exchange, node, server)
        deadline = exchange.started + (node.response_s or NEVER)
        if exchange.deadline < deadline:
            deadline = exchange.deadline
        upstream.deadline = deadline
        if deadline < upstream.due:
            upstream.deadlines.enter(upstream, deadline)
        upstream.waiting, upstream.taker = exchange, self
        self._outbox.ask(upstream, exchange, request)

    def _turn(self, cluster: Cluster) -> Server | None:
        """Return the server whose turn it is."""
        runtime = self._runtime
        standing = runtime.standings.get(cluster) or runtime.standing(cluster)
        servers = cluster.primary or cluster.backup
        if runtime.health.passed_over:
            servers = runtime.health.passed_over.get(cluster, servers)
        return standing.turns.pick(servers)

    # -- its answer has come -----------------------------------------------------------------------------------

    def finish(self, exchange: Exchange, upstream: Upstream, data: bytes) -> None:
        """Pass on what the server has sent first."""
        try:
            end = data.find(b"\r\n\r\n") + 4
            head = self._known.get(data[:end]) or self._final(data[:end])
            if (
                head is None
                or head.length != len(data) - end
                or head.close
                or head.status in _BODILESS
                or exchange.method == b"HEAD"
                or exchange.node.compression is not None
                or self._runtime.draining
            ):
                self._hand_over(exchange, partial(self._carrier.finish, exchange, upstream, partial(_the, data)))
                return
            self._pass_on(exchange, upstream, head, data[end:])
        except Exception as error:  # the client has gone, or a fault of ours
            self.fail(exchange, error)

    def _pass_on(self, exchange: Exchange, upstream: Upstream, head: ResponseHead, body: bytes) -> None:
        """Send a whole answer to the client, let go of the server, and make an end."""
        client, node, now_s = exchange.client, exchange.node, monotonic()
        client.waits_for = None
        upstream.pool.give(upstream, head.idle_s, now_s)
        if exchange.keeps_alive:
            response = (edited(exchange, head) + b"\r\n" if node.after else head.head) + body
        else:
            response = b"%b%b\r\n%b" % (edited(exchange, head), exchange.farewell(), body)
        exchange.status, exchange.sent = head.status, len(response)
        if not node.is_plain:
            self._judge(exchange, head, body, now_s)
        self._outbox.answer(client, exchange, response, self)

    def _judge(self, exchange: Exchange, head: ResponseHead, body: bytes, now_s: float) -> None:
        """Tell those who want to know how it went."""
        if exchange.trial is not None:
            self._runtime.guard.ended(exchange, exchange.trial, now_s)
        node = exchange.node
        if node.cluster.policy == "p2c":
            self._dispatcher.took(exchange)
        if node.is_mirrored and exchange.tee is not None:
            exchange.tee.take_answer(head, body)

    def sent(self, exchange: Exchange, response: bytes, count: int, now_s: float) -> None:
        """Make an end, if the client has taken all of the answer."""
        client = exchange.client
        if count != exchange.sent:
            self._go_on(exchange, partial(client.send_rest, memoryview(response)[count:]))
            return
        if exchange.node.is_led:
            self._junctions.leave(exchange, exchange.status)
        self._recorder.end_whole(exchange, now_s)
        client.answered(exchange, now_s)

    def send_on(self, exchange: Exchange, upstream: Upstream, rest: memoryview) -> None:
        """Let the story send what the server has not taken at once."""
        receive = partial(send_on, exchange, upstream, rest)
        self._hand_over(exchange, partial(self._carrier.finish, exchange, upstream, receive))

    def fail(self, exchange: Exchange, error: Exception) -> None:
        """Let the story tell that there will be no answer of the server, and why."""
        upstream, failing = exchange.client.waits_for, partial(fail_with, error)
        if isinstance(upstream, Upstream):
            self._hand_over(exchange, partial(self._carrier.finish, exchange, upstream, failing))
        else:
            self._hand_over(exchange, failing)

    def _hand_over(self, exchange: Exchange, carry: Carry) -> None:
        """Let the story go on with what is left of the attempt."""
        self._go_on(exchange, partial(self._dispatcher.resume, exchange, carry))

    def _go_on(self, exchange: Exchange, step: Callable[[], object]) -> None:
        """Let the story go on with what is left of the request."""
        if exchange.node.is_led:
            step = partial(self._junctions.along, exchange, step)
        exchange.client.go_on(exchange, step)


def send_on(exchange: Exchange, upstream: Upstream, rest: memoryview) -> bytes:
    """Send the rest of a request and return the first of the answer."""
    upstream.send_rest(rest)
    upstream.deadlines.set(upstream, exchange.until(exchange.node.response_s))
    return upstream.recv()


def _the(data: bytes) -> bytes:
    return data


def fail_with(error: Exception, on_head: OnHead | None = None) -> NoReturn:
    """Raise this error, where an answer is expected."""
    raise error
