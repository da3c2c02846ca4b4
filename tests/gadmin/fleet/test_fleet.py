import json
import threading
import time
from collections.abc import Iterator

import pytest

from gadmin.fleet.fleet import Fleet
from gproxy.core.histogram import MIDDLES_US, bucket
from gproxy.ctl.node import NodeError
from gproxy.store.base import StoreUnavailable
from gproxy.store.nodes import Node
from scripts.processes import free_ports
from tests.gadmin.fleet.nodes import HEALTH, FakeNode, fake_node
from tests.harness.waiting import eventually


def registered(node: FakeNode) -> Node:
    return Node(node.name, node.address, "host", 1, "1", 0, 0, 1)


@pytest.fixture
def two() -> Iterator[tuple[FakeNode, FakeNode]]:
    with fake_node("a") as one, fake_node("b") as other:
        yield one, other


@pytest.fixture
def fleet(two: tuple[FakeNode, FakeNode]) -> Iterator[Fleet]:
    made = Fleet(lambda: [registered(two[0])], [two[1].address], 2.0)
    yield made
    made.stop()


def test_registered_and_named_nodes_are_one_fleet(fleet: Fleet, two: tuple[FakeNode, FakeNode]) -> None:
    two[1].us = 300_000
    told = fleet.document()
    assert [(node["id"], node["state"]) for node in told["nodes"]] == [(two[1].address, "ok"), ("a", "ok")]
    assert told["totals"]["requests"] == 20
    assert told["workers"] == 2
    assert told["servers"][0]["latency_ms"]["10s"]["p50"] == round(MIDDLES_US[bucket(1000)] / 1000, 3)
    assert told["servers"][0]["latency_ms"]["10s"]["p95"] == round(MIDDLES_US[bucket(300_000)] / 1000, 3)
    assert len(told["history"]["requests"]) == told["history"]["seconds"]


def test_a_dead_node_is_marked_and_the_others_are_told(fleet: Fleet, two: tuple[FakeNode, FakeNode]) -> None:
    (port,) = free_ports(1)
    mixed = Fleet(lambda: [registered(two[0])], [f"127.0.0.1:{port}"], 2.0)
    try:
        told = mixed.document()
        assert {node["id"]: node["state"] for node in told["nodes"]} == {f"127.0.0.1:{port}": "down", "a": "ok"}
        assert told["totals"]["requests"] == 10
        answers = mixed.ask_all("/stats?x=1")
        assert isinstance(answers[f"127.0.0.1:{port}"], NodeError)
        assert isinstance(answers["a"], dict)
    finally:
        mixed.stop()


def test_a_slow_node_does_not_hold_up_the_page(two: tuple[FakeNode, FakeNode]) -> None:
    two[1].delay_s = 3
    fleet = Fleet(lambda: [registered(node) for node in two], [], 0.3)
    try:
        began = time.monotonic()
        told = fleet.document()
        assert time.monotonic() - began < 2
        assert {node["id"]: node["state"] for node in told["nodes"]} == {"a": "ok", "b": "down"}
    finally:
        fleet.stop()


def test_who_looks_at_an_object_on_a_slow_node_does_not_hold_up_the_others(two: tuple[FakeNode, FakeNode]) -> None:
    fleet = Fleet(lambda: [registered(node) for node in two], [], 2.0)
    try:
        fleet.rendered(is_whole=False)
        two[1].delay_s = 1.5
        looking = threading.Thread(target=fleet.rendered_object, args=("server", "u1"))
        looking.start()
        eventually(lambda: any("server=u1" in asked for asked in two[1].asked), about="the slow one is asked")
        began = time.monotonic()
        fleet.rendered(is_whole=True)
        assert time.monotonic() - began < 1
        assert looking.is_alive()
        looking.join()
    finally:
        fleet.stop()


def test_only_what_was_asked_for_lately_is_kept(fleet: Fleet, two: tuple[FakeNode, FakeNode]) -> None:
    for number in range(70):
        fleet._cached((str(number),), lambda number=number: {"number": number})  # type: ignore[misc]
    assert fleet._cached(("69",), dict) == b'{"number":69}'
    assert fleet._cached(("0",), dict) == b"{}"


@pytest.mark.parametrize("odd", [{"totals": None}, {"apis": [{}]}, {"servers": [5]}, {"workers": {}}, {"figures": 1}])
def test_a_node_that_talks_nonsense_is_marked_and_the_others_are_told(
    two: tuple[FakeNode, FakeNode], odd: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = two[1].answer
    monkeypatch.setattr(two[1], "answer", lambda path, query: answer(path, query) | odd)
    fleet = Fleet(lambda: [registered(node) for node in two], [], 2.0)
    try:
        told = fleet.document()
        assert {node["id"]: node["state"] for node in told["nodes"]} == {"a": "ok", "b": "down"}
        assert "does not understand" in told["nodes"][1]["trouble"]
        assert told["totals"]["requests"] == 10
    finally:
        fleet.stop()


def test_many_viewers_cost_no_more_than_one(fleet: Fleet, two: tuple[FakeNode, FakeNode]) -> None:
    fleet.rendered(is_whole=False)
    before = len(two[0].asked)
    answers: list[bytes] = []
    viewers = [threading.Thread(target=lambda: answers.append(fleet.rendered(is_whole=False))) for _ in range(50)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    assert len(answers) == 50
    assert len(set(answers)) <= 3
    assert len(two[0].asked) - before <= 6
    assert json.loads(answers[0])["nodes"]


def test_one_object_on_all_nodes(fleet: Fleet, two: tuple[FakeNode, FakeNode]) -> None:
    told = json.loads(fleet.rendered_object("server", "u 1"))
    assert told["merged"]["requests"] == 20
    assert set(told["nodes"]) == {"a", two[1].address}
    assert "buckets" not in told["nodes"]["a"]
    assert max(value or 0 for value in told["history"]["requests"]) >= 2, "both nodes, second by second"
    assert any("server=u%201" in target for target in two[0].asked)
    assert fleet.health("u1")["a"] == {"servers": [{"name": "u1", **HEALTH}]}


def test_nodes_stay_known_while_the_store_is_away(two: tuple[FakeNode, FakeNode]) -> None:
    nodes = [[registered(two[0])]]

    def ask() -> list[Node]:
        if not nodes:
            raise StoreUnavailable("gone")
        return nodes.pop()

    fleet = Fleet(ask, [], 2.0)
    try:
        assert len(fleet.pollers()) == 1
        fleet._discovered_s = -10
        assert [poller.id for poller in fleet.pollers()] == ["a"]
    finally:
        fleet.stop()


def test_a_node_with_an_odd_address_is_left_out(two: tuple[FakeNode, FakeNode]) -> None:
    odd = Node("odd", "nowhere", "host", 1, "1", 0, 0, 1)
    fleet = Fleet(lambda: [odd, registered(two[0])], [], 2.0)
    try:
        assert [poller.id for poller in fleet.pollers()] == ["a"]
    finally:
        fleet.stop()


def test_what_a_check_has_changed_is_among_the_events_when_it_is_over(
    fleet: Fleet, two: tuple[FakeNode, FakeNode]
) -> None:
    for node in two:
        node.events = [{"id": 1, "time_ms": 5, "kind": "health", "object": "server", "name": "s1", "to": "up"}]
    assert {name: told["servers"] for name, told in fleet.check_now("s1").items() if isinstance(told, dict)} == {
        name: [{"name": "s1", **HEALTH}] for name in ("a", two[1].address)
    }
    heard = fleet.events.since(0)["events"]
    assert {event["node"] for event in heard} == {"a", two[1].address}
