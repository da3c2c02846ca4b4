"""Requests at nodes with routing rules: where they go on, what the rules count of them, and their copies at the end.

`enter` decides. From then on the node of the exchange is one that `is_led`, and `leave` is called once when it is over:
by `along`, which the story goes, or by the short way (express.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gproxy.core.errors import GatewayError
from gproxy.worker.deadlines import NEVER
from gproxy.worker.steering import Steering

if TYPE_CHECKING:
    from gproxy.core.node import Node
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.mirrors import Mirrors
    from gproxy.worker.record import Recorder


class Junctions:
    """Leads requests of one worker along the rules of their nodes."""

    def __init__(self, recorder: Recorder, mirrors: Mirrors) -> None:
        self._recorder = recorder
        self._mirrors = mirrors
        self._ways = Steering().ways

    def enter(self, exchange: Exchange, node: Node) -> Node:
        """Set a request on its way, and count that; return the node as which it goes on.

        It has the time that it has there; what belongs to a larger whole keeps its own.
        """
        way, copied = self._ways(exchange, node)
        assert node.own is not None
        led = node.own if way is None else way.node
        exchange.way = way
        if node.is_mirrored:
            exchange.tee = None
            exchange.copied = copied
            if copied and exchange.upgrade is None:
                self._mirrors.watch(exchange)
        if way is not None:
            self._recorder.enter_row(way.rule.row)
            if led.total_s != node.total_s and exchange.api is not None and exchange.api.merge is None:
                exchange.deadline = exchange.started + (led.total_s or NEVER)
        exchange.node = led
        return led

    def along(self, exchange: Exchange, step: Callable[[], object]) -> None:
        """Do what is left to do for a request on its way: `step`. Raises what that does."""
        status = 0
        try:
            step()
            status = exchange.status
        except GatewayError as error:
            status = exchange.status or error.status
            raise
        finally:
            self.leave(exchange, status)

    def leave(self, exchange: Exchange, status: int) -> None:
        """Count a request that is over for the rule that led it, and copy it; `status` 0: its client has left."""
        way, exchange.way = exchange.way, None
        if way is not None:
            self._recorder.leave_row(exchange, way.rule.row, status)
        if exchange.node.is_mirrored and exchange.tee is not None:
            tee, exchange.tee = exchange.tee, None
            if not status:
                tee.answer = None  # not what the client has got
            self._mirrors.copy(exchange, tee)
