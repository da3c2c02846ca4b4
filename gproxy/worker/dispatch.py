"""Gets an exchange answered: chooses a server, makes an attempt, and where `retry` says so another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, cast

from gproxy.core.errors import GatewayError, Stage, UpstreamError
from gproxy.core.ewma import FAILURE_US
from gproxy.core.retry import Retry
from gproxy.worker.aggregate import Aggregator
from gproxy.worker.attempt import OnHead, Unwanted
from gproxy.worker.choose import Chooser
from gproxy.worker.junction import Junctions
from gproxy.worker.mirrors import Mirrors
from gproxy.worker.part_express import PartExpress
from gproxy.worker.relay import ResponseBroken
from gproxy.worker.series import Series
from gproxy.worker.whole_express import WholeExpress

if TYPE_CHECKING:
    from gproxy.core.backends import Server
    from gproxy.core.cache_rule import CacheRule
    from gproxy.core.node import Node
    from gproxy.core.snapshot import Api
    from gproxy.worker.attempt import Carrier
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.node_part import NodePart
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime


#: Makes an attempt, or what is left of it
Carry = Callable[[OnHead | None], None]


class Dispatcher:
    """Gets exchanges answered by servers; one per worker."""

    def __init__(self, runtime: Runtime, recorder: Recorder, carrier: Carrier) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self.choose = Chooser(runtime).choose
        self._carry = carrier.carry
        express = PartExpress(runtime, recorder, carrier, self.send)
        self.junctions = Junctions(recorder, Mirrors(runtime, recorder, express))
        aggregator = Aggregator(runtime, express)
        self._aggregate = aggregator.answer
        self.wholes = WholeExpress(runtime, recorder, aggregator)

    def dispatch(self, exchange: Exchange, api: Api) -> None:
        """Have `exchange` answered by the API's node, or by all of them together.

        Raises GatewayError while nothing was sent to the client, ResponseBroken afterwards, ClientGone at any time.
        """
        exchange.node = node = api.nodes[0]
        if node.rewrite is not None and api.merge is None:
            exchange.rewritten = node.rewrite.target(exchange)
        if node.is_plain:
            self._in_turn(exchange, node)
        elif api.cache is not None:
            self._from_store(exchange, api, api.cache)
        elif api.room is None:
            self._guarded(exchange, api)
        else:
            self._runtime.admission.enter(exchange, api, api.room, self._guarded)

    def _from_store(self, exchange: Exchange, api: Api, rule: CacheRule) -> None:
        """Have it answered from the store, or forwarded; where rules lead is decided first, as answers differ there."""
        if api.room is None:
            forward = partial(self._guarded, exchange, api)
        else:
            forward = partial(self._runtime.admission.enter, exchange, api, api.room, self._guarded)
        answer = partial(self._runtime.cache.answer, exchange, api, rule, forward)
        if exchange.node.ways and api.merge is None:
            self.junctions.enter(exchange, exchange.node)
            self.junctions.along(exchange, answer)
        else:
            answer()

    def _guarded(self, exchange: Exchange, api: Api) -> None:
        if api.breaker is None:
            self._get_answer(exchange, api)
        else:
            self._runtime.guard.watch_api(exchange, api, api.breaker, self._get_answer)

    def _get_answer(self, exchange: Exchange, api: Api) -> None:
        if api.merge is None:
            self.send(exchange, exchange.node)
        else:
            self._aggregate(exchange, api)

    def send(self, exchange: Exchange, node: Node) -> None:
        """Have `exchange` answered by a server of the node's cluster, or of the one where a rule leads.

        Raises what `dispatch` does.
        """
        if node.is_direct:
            self._in_turn(exchange, node)
        elif node.ways:
            self._by_rules(exchange, node)
        elif node.cache is not None:
            forward = partial(self._by_choice, exchange, node)
            self._runtime.cache.complete(cast("NodePart", exchange), node.cache, forward)
        else:
            self._by_choice(exchange, node)

    def _by_rules(self, exchange: Exchange, node: Node) -> None:
        """Have it answered where the node's rules lead it."""
        led = self.junctions.enter(exchange, node)
        self.junctions.along(exchange, partial(self.send, exchange, led))

    def _by_choice(self, exchange: Exchange, node: Node) -> None:
        if node.retry is None:
            self._attempt(exchange, node, self._server_for(exchange, node), None)
        else:
            self._until_answered(exchange, node, node.retry)

    def _in_turn(self, exchange: Exchange, node: Node) -> None:
        """Make the only attempt, at the server whose turn it is."""
        runtime, cluster = self._runtime, node.cluster
        standing = runtime.standings.get(cluster) or runtime.standing(cluster)
        servers = cluster.primary or cluster.backup
        if runtime.health.passed_over:
            servers = runtime.health.passed_over.get(cluster, servers)
        server = standing.turns.pick(servers) or self.choose(exchange, node)
        self._recorder.attempt(exchange, server)
        self._carry(exchange, node, server)

    def _server_for(self, exchange: Exchange, node: Node, tried: Sequence[Server] = ()) -> Server:
        """Return the server for an attempt, after waiting for a place there where servers have queues."""
        if not node.cluster.is_limited:
            return self.choose(exchange, node, tried)
        return self._runtime.admission.wait_for(exchange, lambda: self.choose(exchange, node, tried))

    # -- one attempt -------------------------------------------------------------------------------------------

    def _attempt(self, exchange: Exchange, node: Node, server: Server, on_head: OnHead | None) -> None:
        """Make one attempt, which gives its place at a limited server back when it is over."""
        if server.room is None:
            self._watched(exchange, node, server, on_head)
        else:
            self._runtime.admission.within(server.row, self._watched, exchange, node, server, on_head)

    def _watched(self, exchange: Exchange, node: Node, server: Server, on_head: OnHead | None) -> None:
        """Make one attempt, under the eyes of the server's circuit breaker if it has one."""
        self._recorder.attempt(exchange, server)
        self.resume(exchange, partial(self._carry, exchange, node, server), on_head)

    def resume(self, exchange: Exchange, carry: Carry, on_head: OnHead | None = None) -> None:
        """Make an attempt, or what is left of one that began the short way (express.py), which is `carry`."""
        guard, trial = self._runtime.guard, exchange.trial
        if trial is None:
            self._timed(exchange, carry, on_head)
            return

        def heard(status: int) -> None:
            guard.answered(exchange, trial, status)
            if on_head is not None:
                on_head(status)

        guard.watch(exchange, self._timed, exchange, carry, heard)

    def _timed(self, exchange: Exchange, carry: Carry, on_head: OnHead | None) -> None:
        """Make the attempt, and note how long the server took if the policy wants to know."""
        try:
            carry(on_head)
        except (UpstreamError, Unwanted, ResponseBroken):
            self.took(exchange, FAILURE_US)
            raise
        self.took(exchange)

    def took(self, exchange: Exchange, at_least_us: int = 0) -> None:
        """Note how long the server took if the policy wants to know."""
        server = exchange.server
        if server is not None and exchange.node.cluster.policy == "p2c":
            time_us = int(((exchange.answered or monotonic()) - exchange.attempted) * 1e6)
            self._runtime.loads.observe(server, max(time_us, at_least_us))

    # -- several attempts --------------------------------------------------------------------------------------

    def _until_answered(self, exchange: Exchange, node: Node, retry: Retry) -> None:
        """Make attempts until there is an answer, or no further one may be made."""
        series = Series(self._runtime, exchange, node, retry)
        try:
            self._repeat(series)
        except GatewayError as error:
            if retry.report:
                error.headers = (*error.headers, ("X-Gateway-Attempts", str(exchange.attempts)))
            raise
        finally:
            series.close()

    def _repeat(self, series: Series) -> None:
        exchange, node = series.exchange, series.node
        tried: list[Server] = []
        failure: UpstreamError | None = None
        while True:
            try:
                server = self._server_for(exchange, node, tried)
            except GatewayError:
                if failure is not None:
                    raise failure from None
                raise
            series.begin_attempt()
            try:
                self._attempt(exchange, node, server, series.on_head)
                return
            except UpstreamError as error:
                series.end_attempt()
                if not series.may_go_on(error.stage):
                    raise
                failure, stage = error, error.stage
                self._recorder.attempt_over(exchange, 0, error.code, error.reason or error.detail)
            except Unwanted as unwanted:
                failure, stage = None, Stage.ANSWERED
                self._recorder.attempt_over(exchange, unwanted.status)
            tried.append(server)
            series.go_on(stage)
