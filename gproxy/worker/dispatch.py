"""Gets an exchange answered: chooses a server, makes an attempt, and where `retry` says so another one.

A request is repeated only while the client has got nothing, its body is at hand from the first byte, and either no
server has seen it or its method may be sent twice. The number of requests that are at a further attempt is bounded by
a budget, shared by all workers: servers that fail because there is too much to do are not finished off by retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import random
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import GatewayError, Stage, UpstreamError
from gproxy.core.ewma import FAILURE_US
from gproxy.core.retry import Retry, has_budget
from gproxy.shared import layout
from gproxy.worker.attempt import Carrier, OnHead, Unwanted
from gproxy.worker.choose import Chooser
from gproxy.worker.connection import ClientGone
from gproxy.worker.pause import Pause
from gproxy.worker.relay import ResponseBroken

if TYPE_CHECKING:
    from gproxy.core.snapshot import Api, Server
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime


class Dispatcher:
    """Gets exchanges answered by servers; one per worker."""

    def __init__(self, runtime: Runtime, recorder: Recorder) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._choose = Chooser(runtime).choose
        self._carry = Carrier(runtime).carry

    def dispatch(self, exchange: Exchange, api: Api) -> None:
        """Proxy `exchange` through a server of the API's cluster.

        Raises GatewayError while nothing was sent to the client, ResponseBroken afterwards, ClientGone at any time.
        """
        if api.is_plain:
            runtime, cluster = self._runtime, api.cluster
            standing = runtime.standings.get(cluster) or runtime.standing(cluster)
            servers = cluster.primary or cluster.backup
            if runtime.health.passed_over:
                servers = runtime.health.passed_over.get(cluster, servers)
            server = standing.turns.pick(servers) or self._choose(exchange, api)
            self._recorder.attempt(exchange, server)
            self._carry(exchange, api, server)
        elif api.room is None:
            self._guarded(exchange, api)
        else:
            self._runtime.admission.enter(exchange, api, api.room, self._guarded)

    def _guarded(self, exchange: Exchange, api: Api) -> None:
        if api.breaker is None:
            self._get_answer(exchange, api)
        else:
            self._runtime.guard.watch_api(exchange, api, api.breaker, self._get_answer)

    def _get_answer(self, exchange: Exchange, api: Api) -> None:
        if api.retry is None:
            self._attempt(exchange, api, self._server_for(exchange, api), None)
        else:
            self._until_answered(exchange, api, api.retry)

    def _server_for(self, exchange: Exchange, api: Api, tried: Sequence[Server] = ()) -> Server:
        """Return the server for an attempt, after waiting for a place there where servers have queues."""
        if not api.cluster.is_limited:
            return self._choose(exchange, api, tried)
        return self._runtime.admission.wait_for(exchange, lambda: self._choose(exchange, api, tried))

    # -- one attempt -------------------------------------------------------------------------------------------

    def _attempt(self, exchange: Exchange, api: Api, server: Server, on_head: OnHead | None) -> None:
        """Make one attempt, which gives its place at a limited server back when it is over."""
        if server.room is None:
            self._watched(exchange, api, server, on_head)
        else:
            self._runtime.admission.within(server.row, self._watched, exchange, api, server, on_head)

    def _watched(self, exchange: Exchange, api: Api, server: Server, on_head: OnHead | None) -> None:
        """Make one attempt, under the eyes of the server's circuit breaker if it has one."""
        guard, trial = self._runtime.guard, exchange.trial
        self._recorder.attempt(exchange, server)
        if trial is None:
            self._timed(exchange, api, server, on_head)
            return

        def heard(status: int) -> None:
            guard.answered(exchange, trial, status)
            if on_head is not None:
                on_head(status)

        guard.watch(exchange, self._timed, exchange, api, server, heard)

    def _timed(self, exchange: Exchange, api: Api, server: Server, on_head: OnHead | None) -> None:
        """Make the attempt, and note how long the server took if the policy wants to know."""
        try:
            self._carry(exchange, api, server, on_head)
        except (UpstreamError, Unwanted, ResponseBroken):
            self._took(exchange, api, server, FAILURE_US)
            raise
        self._took(exchange, api, server, 0)

    def _took(self, exchange: Exchange, api: Api, server: Server, at_least_us: int) -> None:
        if api.cluster.policy == "p2c":
            time_us = int(((exchange.answered or monotonic()) - exchange.attempted) * 1e6)
            self._runtime.loads.observe(server, max(time_us, at_least_us))

    # -- several attempts --------------------------------------------------------------------------------------

    def _until_answered(self, exchange: Exchange, api: Api, retry: Retry) -> None:
        """Make attempts until there is an answer, or no further one may be made."""
        exchange.attempts = 0
        repeating = self._runtime.row_cell(api.row, layout.ROW_REPEATING)
        try:
            self._repeat(exchange, api, retry, repeating)
        except GatewayError as error:
            if retry.report:
                error.headers = (*error.headers, ("X-Gateway-Attempts", str(exchange.attempts)))
            raise
        finally:
            if exchange.attempts > 1:
                self._runtime.cells[repeating] -= 1

    def _repeat(self, exchange: Exchange, api: Api, retry: Retry, repeating: int) -> None:
        tried: list[Server] = []
        failure: UpstreamError | None = None
        while True:
            try:
                server = self._server_for(exchange, api, tried)
            except GatewayError:
                if failure is not None:
                    raise failure from None
                raise
            exchange.attempts += 1
            if exchange.attempts == 2:
                self._runtime.cells[repeating] += 1
            try:
                self._attempt_within(exchange, api, server, retry)
                return
            except UpstreamError as error:
                if error.stage is Stage.ANSWERED or not self._may_repeat(exchange, api, retry, error.stage):
                    raise
                failure, status = error, 0
            except Unwanted as unwanted:
                failure, status = None, unwanted.status
            tried.append(server)
            self._recorder.attempt_over(exchange, status)
            self._pause(exchange, retry.pause_s(exchange.attempts, random()))
            exchange.attempted = monotonic()

    def _attempt_within(self, exchange: Exchange, api: Api, server: Server, retry: Retry) -> None:
        """Make one attempt within the time of one try, which ends when the response head is there."""
        total = exchange.deadline
        if retry.per_try_timeout_s and not exchange.left:
            exchange.deadline = min(total, monotonic() + retry.per_try_timeout_s)

        def on_head(status: int) -> None:
            exchange.deadline = total
            if status in retry.statuses and self._may_repeat(exchange, api, retry, Stage.SENT):
                raise Unwanted(status)

        try:
            self._attempt(exchange, api, server, on_head)
        finally:
            exchange.deadline = total

    def _may_repeat(self, exchange: Exchange, api: Api, retry: Retry, stage: Stage) -> bool:
        """Say whether another attempt may follow the one that came so far."""
        if exchange.upload is not None or not retry.may_repeat(
            exchange.attempts, exchange.method, stage > Stage.UNSENT
        ):
            return False
        if monotonic() + retry.pause_s(exchange.attempts, 1.0) >= exchange.deadline:
            return False
        if exchange.attempts > 1:
            return True  # it is within the budget already
        table = self._runtime.table
        active = table.row_total(api.row, layout.ROW_ACTIVE)
        return has_budget(active, table.row_total(api.row, layout.ROW_REPEATING))

    def _pause(self, exchange: Exchange, seconds: float) -> None:
        client = exchange.client
        if client.gone:
            raise ClientGone("closed by the client")
        client.waits_for = pause = Pause()
        try:
            pause.sleep(seconds)
        finally:
            client.waits_for = None
