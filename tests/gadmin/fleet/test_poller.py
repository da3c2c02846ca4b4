import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gadmin.fleet import poller as module
from gadmin.fleet.poller import Poller
from gproxy.ctl.node import BadAddress, NodeError
from scripts.processes import free_ports
from tests.gadmin.fleet.nodes import FakeNode, fake_node
from tests.harness.waiting import eventually

HEARD: list[tuple[str, object]] = []


@contextmanager
def polling(address: str, timeout_s: float = 2.0) -> Iterator[Poller]:
    made = Poller("n1", address, timeout_s, lambda node, heard: HEARD.append((node, heard)))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def node() -> Iterator[FakeNode]:
    HEARD.clear()
    with fake_node("n1") as made:
        yield made


def test_nobody_is_asked_before_somebody_looks(node: FakeNode) -> None:
    with polling(node.address) as poller:
        assert poller.reading().state == "down"
        assert node.asked == []
        poller.look()
        poller.wait(time.monotonic() + 5)
        assert poller.reading().state == "ok"
        assert "seconds=600" in node.asked[0], "first, all of the history"
        eventually(lambda: len(node.asked) >= 4, about="it asks again")
        assert re.search(r"seconds=1\d$", node.asked[2]), "then, what is new"
        assert max(poller.timeline.rows) - int(time.time()) in (0, -1, -2)


def test_when_nobody_looks_any_more_it_rests(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTEREST_S", 0.2)
    monkeypatch.setattr(module, "EVERY_S", 0.05)
    with polling(node.address) as poller:
        poller.look()
        eventually(lambda: len(node.asked) > 2)
        eventually(lambda: time.monotonic() > poller._until_s + 0.1)
        asked = len(node.asked)
        poller.wait(time.monotonic() + 0.2)
        assert len(node.asked) <= asked + 2


def test_events_are_handed_on_and_asked_for_from_the_last_one(node: FakeNode) -> None:
    node.events.append({"id": 1, "time_ms": 5})
    with polling(node.address) as poller:
        poller.look()
        eventually(lambda: HEARD and "/events?since=1" in node.asked)
    assert HEARD[0][0] == "n1"


def test_a_dead_node_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    with polling(f"127.0.0.1:{port}") as poller:
        poller.look()
        began = time.monotonic()
        poller.wait(began + 5)
        assert time.monotonic() - began < 2
        assert "refused" in poller.reading().trouble
        with pytest.raises(NodeError):
            poller.ask("/stats")


def test_a_slow_node_is_slow_and_holds_up_nobody(node: FakeNode) -> None:
    node.delay_s = 0.5
    with polling(node.address, timeout_s=0.1) as poller:
        poller.look()
        began = time.monotonic()
        poller.wait(began + 1)
        assert time.monotonic() - began < 1
        assert "timed out" in poller.reading().trouble
        node.delay_s = 0
        eventually(lambda: poller.reading().state == "ok", about="it is back")


def test_an_answer_that_makes_no_sense_is_trouble_not_a_crash(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeNode, "answer", lambda *_: {"history": {}})
    with polling(node.address) as poller:
        poller.look()
        poller.wait(time.monotonic() + 5)
        assert "does not understand" in poller.reading().trouble


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadAddress):
        Poller("n1", "nowhere", 1, lambda *_: None)
