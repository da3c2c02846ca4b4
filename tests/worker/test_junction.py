"""What becomes of a request at a node with rules: its time, what is counted, and its copies, whoever ends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gproxy.core.errors import NoServer
from gproxy.core.node import Node
from gproxy.shared import layout
from gproxy.worker.exchange import Exchange
from gproxy.worker.junction import Junctions
from gproxy.worker.link import ClientGone
from gproxy.worker.mirrors import Mirrors
from gproxy.worker.part_express import PartExpress
from tests.worker.stage import Stage

RULE_ROW, MIRROR_ROW = 4, 5


class Crossing:
    """A worker whose API leads to `one`, by a rule with `?v=2` to `two`, and is mirrored when that is asked for."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.copies: list[tuple[bytes, ...]] = []
        recorder = stage.runtime.recorder
        express: PartExpress = None  # type: ignore[assignment]
        mirrors = Mirrors(stage.runtime, recorder, express)
        mirrors.copy = lambda exchange, tee: self.copies.append((exchange.target,))  # type: ignore[method-assign]
        self.junctions = Junctions(recorder, mirrors)

    def use(self, is_mirrored: bool = False) -> None:
        servers = [{"name": name, "address": "127.0.0.1:1"} for name in ("one", "two")]
        clusters = [{"name": "one", "servers": ["one"]}, {"name": "two", "servers": ["two"]}]
        clusters[1]["timeouts"] = {"total_s": 0.05}  # type: ignore[assignment]
        rules = [{"name": "a", "cluster": "two", "when": {"all": ["$query_v == 2"]}}]
        if is_mirrored:
            rules.append({"name": "b", "cluster": "one", "action": "mirror"})
        api = {"name": "all", "path": "/*", "nodes": [{"cluster": "one"}]}
        self.stage.use(servers, clusters, [api], rules)

    def entered(self, target: bytes) -> tuple[Exchange, Node]:
        exchange = self.stage.exchange(target=target)
        snapshot = self.stage.runtime.snapshot
        assert snapshot is not None
        found = snapshot.router.find(b"a", b"GET", b"/")
        assert found is not None
        exchange.api, exchange.values = found.target, ()
        return exchange, self.junctions.enter(exchange, found.target.nodes[0])

    def row(self, cell: int) -> int:
        return self.stage.table.row_total(RULE_ROW, cell)


@pytest.fixture
def crossing(stage: Stage) -> Crossing:
    return Crossing(stage)


def test_the_time_limit_is_that_of_where_a_request_is_led(crossing: Crossing) -> None:
    crossing.use()
    exchange, led = crossing.entered(b"/?v=2")
    assert exchange.node is led
    assert (led.cluster.name, led.is_led, crossing.row(layout.ROW_ACTIVE)) == ("two", True, 1)
    assert exchange.deadline == pytest.approx(exchange.started + 0.05)


def test_where_no_rule_leads_elsewhere_the_node_stands_for_itself(crossing: Crossing) -> None:
    crossing.use()
    exchange, led = crossing.entered(b"/")
    assert (led.cluster.name, led.is_led, led.is_direct, led.is_plain) == ("one", True, True, False)
    crossing.junctions.along(exchange, lambda: None)
    assert crossing.row(layout.ROW_ACTIVE) == 0


def raising(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NoServer("nobody"), layout.ROW_STATUS_5XX), (ClientGone("gone"), layout.ROW_CLIENT_GONE)],
)
def test_failures_are_counted_for_the_rule_and_copied(crossing: Crossing, error: Exception, outcome: int) -> None:
    crossing.use(is_mirrored=True)
    exchange, _ = crossing.entered(b"/?v=2")
    with pytest.raises(type(error)):
        crossing.junctions.along(exchange, raising(error))
    assert (crossing.row(outcome), crossing.row(layout.ROW_ACTIVE)) == (1, 0)
    assert crossing.copies == [(b"/?v=2",)]


def test_it_is_left_once(crossing: Crossing) -> None:
    crossing.use(is_mirrored=True)
    exchange, _ = crossing.entered(b"/?v=2")
    crossing.junctions.leave(exchange, 200)
    with pytest.raises(RuntimeError):
        crossing.junctions.along(exchange, raising(RuntimeError("a fault behind it")))
    assert (crossing.row(layout.ROW_STATUS_2XX), crossing.row(layout.ROW_ACTIVE)) == (1, 0)
    assert len(crossing.copies) == 1
