"""The attempts that one request may take: time, budget and pauses in between.

A request is repeated only while the client has got nothing, its body is at hand from the first byte, and either no
server has seen it or its method may be sent twice. The number of requests that are being repeated is bounded by a
budget, shared by all workers: servers that fail because there is too much to do are not finished off by retries.
"""

from __future__ import annotations

from random import random
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import Stage
from gproxy.core.retry import Retry, has_budget
from gproxy.shared import layout
from gproxy.worker.attempt import Unwanted
from gproxy.worker.link import ClientGone
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.core.node import Node
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.runtime import Runtime


class Series:
    """The attempts at one exchange, by the rules of `retry`; `close` it when they are over."""

    __slots__ = ("_is_counted", "_repeating", "_retry", "_row", "_runtime", "_total", "exchange", "node")

    def __init__(self, runtime: Runtime, exchange: Exchange, node: Node, retry: Retry) -> None:
        self.exchange = exchange
        assert exchange.api is not None
        self.node = node
        self._runtime = runtime
        self._retry = retry
        self._total = exchange.deadline
        self._repeating = runtime.row_cell(exchange.api.row, layout.ROW_REPEATING)
        self._row = exchange.api.row
        self._is_counted = False
        exchange.attempts = 0

    def close(self) -> None:
        """Restore the exchange's deadline and give its part of the budget back."""
        self.exchange.deadline = self._total
        if self._is_counted:
            self._runtime.cells[self._repeating] -= 1

    def begin_attempt(self) -> None:
        """Count an attempt, whose time runs from now until the response head is there."""
        exchange, limit_s = self.exchange, self._retry.per_try_timeout_s
        exchange.attempts += 1
        if limit_s and not exchange.left:  # a client that is still sending takes time of its own
            exchange.deadline = min(self._total, monotonic() + limit_s)

    def end_attempt(self) -> None:
        """Let the total time limit alone count again."""
        self.exchange.deadline = self._total

    def on_head(self, status: int) -> None:
        """Look at the status of an answer; raises Unwanted when there will be another attempt instead."""
        self.end_attempt()
        if status in self._retry.statuses and self.may_go_on(Stage.SENT):
            raise Unwanted(status)

    def may_go_on(self, stage: Stage) -> bool:
        """Say whether there will be another attempt after one that came so far."""
        exchange, retry = self.exchange, self._retry
        if stage is Stage.ANSWERED or exchange.upload is not None:
            return False
        method = self.node.method or exchange.method
        if not retry.may_repeat(exchange.attempts, method, stage is not Stage.UNSENT):
            return False
        return monotonic() + retry.longest_pause_s(exchange.attempts) < self._total and self._is_in_budget()

    def go_on(self, stage: Stage) -> None:
        """Make ready for the next attempt after one that came so far; raises ClientGone.

        A request that no server has seen goes to the next one at once: there is nobody to be spared.
        """
        exchange, cluster = self.exchange, self.node.cluster
        if exchange.client.gone:
            raise ClientGone("closed by the client")
        has_another = exchange.attempts < len(cluster.primary) + len(cluster.backup)
        if stage is not Stage.UNSENT or not has_another:
            self._pause(random() * self._retry.longest_pause_s(exchange.attempts))
        exchange.attempted = monotonic()

    def _pause(self, seconds: float) -> None:
        client = self.exchange.client
        client.waits_for = pause = Pause()
        try:
            pause.sleep(seconds)
        finally:
            client.waits_for = None

    def _is_in_budget(self) -> bool:
        """Take part of the budget, once for all further attempts."""
        if not self._is_counted:
            table, row = self._runtime.table, self._row
            active, repeating = table.row_total(row, layout.ROW_ACTIVE), table.row_total(row, layout.ROW_REPEATING)
            if not has_budget(active, repeating):
                return False
            self._is_counted = True
            self._runtime.cells[self._repeating] += 1
        return True
