"""Requests and answers that leave together, over stand-ins for connections; real ones: test_express.py."""

from __future__ import annotations

import logging
from typing import Any

import gevent
import pytest

from gproxy.worker.link import ClientGone, LinkBroken, hub
from gproxy.worker.outbox import Outbox


class FakeLink:
    """Takes up to `most` bytes of each message, or is broken; it is its own taker."""

    def __init__(self, sent: list[Any], name: str, most: int = 100, error: LinkBroken | None = None) -> None:
        self.sent_by_all, self.name, self.most, self.error = sent, name, most, error
        self.waiting: object = None
        self.taker = self

    def send_some(self, data: bytes) -> int:
        self.sent_by_all.append((self.name, data))
        if self.error is not None:
            raise self.error
        return min(self.most, len(data))

    def send_on(self, exchange: object, upstream: object, rest: memoryview) -> None:
        self.sent_by_all.append((self.name, exchange, bytes(rest)))

    def fail(self, exchange: object, error: Exception) -> None:
        self.sent_by_all.append((self.name, exchange, error))


class Answers:
    """Notes what it hears of answers."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, object]] = []

    def sent(self, exchange: object, response: bytes, count: int, now_s: float) -> None:
        assert now_s > 0
        self.heard.append((exchange, count))
        if exchange == "faulty":
            raise RuntimeError("a fault of ours")

    def fail(self, exchange: object, error: Exception) -> None:
        self.heard.append((exchange, error))


def asked(outbox: Outbox, link: FakeLink, exchange: object, request: bytes) -> None:
    link.waiting = exchange
    outbox.ask(link, exchange, request)  # type: ignore[arg-type]


@pytest.fixture
def sent() -> list[Any]:
    return []


def test_what_a_turn_brings_leaves_together_and_requests_first(sent: list[Any]) -> None:
    outbox, answers = Outbox(), Answers()
    one, other = FakeLink(sent, "one"), FakeLink(sent, "other")

    def turn() -> None:
        outbox.answer(FakeLink(sent, "client"), 1, b"answer", answers)  # type: ignore[arg-type]
        asked(outbox, one, 2, b"first")
        asked(outbox, other, 3, b"second")
        assert sent == []

    hub.loop.run_callback(turn)
    gevent.sleep(0)
    gevent.sleep(0)
    assert sent == [("one", b"first"), ("other", b"second"), ("client", b"answer")]
    assert answers.heard == [(1, len(b"answer"))]
    assert (one.waiting, other.waiting) == (2, 3)


def test_a_request_that_nobody_waits_for_any_more_stays(sent: list[Any]) -> None:
    outbox, link = Outbox(), FakeLink(sent, "one")
    asked(outbox, link, 1, b"request")
    link.waiting = None
    gevent.sleep(0)
    assert sent == []


def test_what_a_server_does_not_take_at_once_is_sent_on(sent: list[Any]) -> None:
    outbox, link = Outbox(), FakeLink(sent, "one", most=3)
    asked(outbox, link, 1, b"request")
    gevent.sleep(0)
    assert sent == [("one", b"request"), ("one", 1, b"uest")]
    assert link.waiting is None


def test_a_server_that_has_gone_is_told_to_who_waits(sent: list[Any]) -> None:
    gone = LinkBroken("reset", unsent=True)
    outbox, link, other = Outbox(), FakeLink(sent, "one", error=gone), FakeLink(sent, "other")
    asked(outbox, link, 1, b"a")
    asked(outbox, other, 2, b"b")
    gevent.sleep(0)
    assert sent == [("one", b"a"), ("other", b"b"), ("one", 1, gone)]
    assert (link.waiting, other.waiting) == (None, 2)


def test_a_fault_with_a_request_keeps_no_answer_from_its_end(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outbox, answers, link = Outbox(), Answers(), FakeLink(sent, "one", most=3)
    monkeypatch.setattr(link, "send_on", lambda *_: 1 / 0)
    asked(outbox, link, 1, b"request")
    outbox.answer(FakeLink(sent, "client"), 2, b"answer", answers)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        gevent.sleep(0)
    assert answers.heard == [(2, len(b"answer"))]
    assert [record.message for record in caplog.records] == ["a request has not gone on as it should"]


def test_each_answer_ends_for_itself(sent: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    outbox, answers, gone = Outbox(), Answers(), ClientGone("reset")
    links = FakeLink(sent, "faulty"), FakeLink(sent, "gone", error=gone), FakeLink(sent, "slow", most=2)
    for link in links:
        outbox.answer(link, link.name, b"answer", answers)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        gevent.sleep(0)
    assert answers.heard == [("faulty", 6), ("gone", gone), ("slow", 2)]
    assert [record.message for record in caplog.records] == ["an answer has not ended as it should"]


def test_what_an_end_brings_leaves_too(sent: list[Any]) -> None:
    outbox, link = Outbox(), FakeLink(sent, "one")

    class Pipeline(Answers):
        def sent(self, exchange: object, response: bytes, count: int, now_s: float) -> None:
            asked(outbox, link, 2, b"next")

    outbox.answer(FakeLink(sent, "client"), 1, b"answer", Pipeline())  # type: ignore[arg-type]
    gevent.sleep(0)
    gevent.sleep(0)
    assert sent == [("client", b"answer"), ("one", b"next")]
