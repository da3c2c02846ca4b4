"""Copies of requests: what the mirror gets, that the original never feels it, and what is compared."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gproxy.shared import layout
from gproxy.shared.samples import samples
from tests.worker.peer import Backend, Peer, eventually, response
from tests.worker.stage import Stage

GET = b"GET /x?a=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n"
RULE_ROW = 4


class Recording(Backend):
    """A server that keeps the requests it gets, and says what `answer` makes of head and body; nothing for None."""

    def __init__(self, answer: Callable[[bytes, bytes], bytes | None]) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self._answer = answer
        super().__init__(self._serve_one_by_one)

    def _serve_one_by_one(self, peer: Peer) -> None:
        while True:
            head, body = _request(peer)
            if not head:
                return
            self.requests.append((head, body))
            answer = self._answer(head, body)
            if answer is None:
                peer.rest()
                return
            peer.send(answer)


def _request(peer: Peer) -> tuple[bytes, bytes]:
    head = peer.head()
    if b"chunked" in head.lower():
        return head, peer.chunked_body()[0]
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, peer.exactly(int(length[0].partition(b":")[2])) if length else b""


class Shadowed:
    """A worker whose API leads to `primary`, and a rule that copies to `mirror`."""

    def __init__(self, stage: Stage, opened: ExitStack) -> None:
        self.stage = stage
        self._opened = opened
        self.primary: Recording
        self.mirror: Recording

    def use(
        self,
        primary: Callable[[bytes, bytes], bytes | None] = lambda head, body: response(b"primary"),
        mirror: Callable[[bytes, bytes], bytes | None] = lambda head, body: response(b"mirror"),
        api: dict[str, Any] | None = None,
        **rule: Any,
    ) -> None:
        """Serve so from now on; `rule` are further fields of the rule."""
        self.primary = self._opened.enter_context(Recording(primary))
        self.mirror = self._opened.enter_context(Recording(mirror))
        addresses = {"p": self.primary.address, "m": self.mirror.address}
        self.stage.use(
            [{"name": name, "address": address} for name, address in addresses.items()],
            [{"name": name, "servers": [name]} for name in addresses],
            [{"name": "all", "path": "/*", "nodes": [{"cluster": "p"}], **(api or {})}],
            [{"name": "shadow", "cluster": "m", "action": "mirror", **rule}],
        )

    def ask(self, request: bytes = GET) -> bytes:
        """Send a request over a connection of its own and return the body of its answer."""
        client = self.stage.connect()
        client.send(request)
        return client.message()[1]

    def row(self, cell: int) -> int:
        """Return a figure of the rule."""
        return self.stage.table.row_total(RULE_ROW, cell)

    def samples(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in samples(self.stage.table)]


@pytest.fixture
def shadowed(stage: Stage) -> Iterator[Shadowed]:
    with ExitStack() as opened:
        yield Shadowed(stage, opened)


def test_the_mirror_gets_a_copy_and_the_client_the_original(shadowed: Shadowed) -> None:
    shadowed.use()
    assert shadowed.ask() == b"primary"
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 1)
    assert shadowed.mirror.requests == shadowed.primary.requests
    assert shadowed.mirror.requests[0][0].startswith(b"GET /x?a=1 HTTP/1.1\r\n")
    eventually(shadowed.stage.is_quiet)
    assert shadowed.stage.requests() == 1, "a copy is no request of a client"
    assert shadowed.stage.table.row_total(5, layout.ROW_STATUS_2XX) == 1, "and none of the API"
    assert shadowed.stage.table.row_total(1, layout.ROW_STATUS_2XX) == 1, "but one of its server"
    assert shadowed.row(layout.ROW_ACTIVE) == 0


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("arrives", ["at once", "later"])
def test_bodies_are_copied_however_they_come(shadowed: Shadowed, is_chunked: bool, arrives: str) -> None:
    shadowed.use()
    body = b"0123456789" * 500
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if is_chunked else body
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    client = shadowed.stage.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
    if arrives == "later":
        eventually(lambda: shadowed.primary.peers)
        for at in range(0, len(framed), 999):
            client.send(framed[at : at + 999])
            gevent.sleep(0)
    else:
        client.send(framed)
    assert client.message()[1] == b"primary"
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 1)
    assert [received for _, received in shadowed.mirror.requests] == [body]


@pytest.mark.parametrize("arrives", ["at once", "later"])
def test_large_bodies_are_not_copied(shadowed: Shadowed, arrives: str) -> None:
    shadowed.use(max_body_bytes=1000)
    client = shadowed.stage.connect()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n"
    if arrives == "later":
        client.send(head)
        eventually(lambda: shadowed.primary.peers)
        client.send(b"x" * 2000)
    else:
        client.send(head + b"x" * 2000)
    assert client.message()[1] == b"primary"
    eventually(lambda: shadowed.row(layout.ROW_REJECTED) == 1)
    assert shadowed.mirror.requests == []


def test_rewrites_and_edits_hold_for_the_copy(shadowed: Shadowed) -> None:
    api = {"rewrite": "/r/{*}", "request_headers": {"set": {"X-B": "2"}}, "preserve_host": False}
    shadowed.use(api=api)
    shadowed.ask()
    eventually(lambda: shadowed.mirror.requests)
    head = shadowed.mirror.requests[0][0]
    assert head.startswith(b"GET /r/x HTTP/1.1\r\nHost: %b\r\n" % shadowed.mirror.address.encode())
    assert b"X-B: 2\r\n" in head


def test_only_what_the_rule_applies_to_is_copied(shadowed: Shadowed) -> None:
    shadowed.use(when={"all": ["$query_copy exists"]})
    shadowed.ask()
    shadowed.ask(GET.replace(b"a=1", b"copy"))
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 1)
    assert [head.split()[1] for head, _ in shadowed.mirror.requests] == [b"/x?copy"]


def test_a_share_of_the_requests_is_copied(shadowed: Shadowed) -> None:
    shadowed.use(percent=30)
    for _ in range(100):
        shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 30)


def test_a_mirror_that_does_not_answer_holds_nobody_up(shadowed: Shadowed) -> None:
    shadowed.use(mirror=lambda head, body: None, timeout_s=0.2)
    assert [shadowed.ask() for _ in range(10)] == [b"primary"] * 10
    eventually(lambda: shadowed.row(layout.ROW_UNANSWERED) + shadowed.row(layout.ROW_REJECTED) == 10)
    assert shadowed.row(layout.ROW_UNANSWERED) >= 5
    assert shadowed.row(layout.ROW_ACTIVE) == 0


def test_a_mirror_that_is_not_there_fails_nobody(shadowed: Shadowed, caplog: pytest.LogCaptureFixture) -> None:
    shadowed.use(compare={})
    shadowed.mirror._server.stop()
    shadowed.mirror._listener.close()
    assert shadowed.ask() == b"primary"
    eventually(lambda: shadowed.row(layout.ROW_UNANSWERED) == 1)
    assert shadowed.row(layout.ROW_COMPARED) == 0
    assert "failed" not in caplog.text, "the log is not flooded with the mirror's failures"


def test_a_mirror_that_is_not_there_is_left_alone(
    shadowed: Shadowed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("gproxy.worker.mirrors.monotonic", lambda: now_s[0])
    answer = [b""]
    shadowed.use(mirror=lambda head, body: answer[0] or None, timeout_s=0.05)

    def ask(tried: int, dropped: int) -> None:
        assert shadowed.ask() == b"primary"
        eventually(lambda: shadowed.row(layout.ROW_REJECTED) == dropped)
        eventually(lambda: len(shadowed.mirror.requests) == tried and not shadowed.row(layout.ROW_ACTIVE))

    for tried in range(1, 6):
        ask(tried, 0)
    assert [record.message for record in caplog.records] == ["a mirror rests: nobody answers its copies"]
    ask(5, 1)
    now_s[0] += 1
    ask(6, 1)  # one is tried ...
    ask(6, 2)  # ... in vain
    now_s[0] += 1
    answer[0] = response()
    ask(7, 2)
    ask(8, 2)
    assert len(caplog.records) == 1


def test_rules_that_are_gone_are_forgotten(shadowed: Shadowed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.worker.mirrors._MOST_RULES", 2)
    for number in range(4):
        shadowed.use(name=f"shadow{number}")
        shadowed.ask()
        eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == number + 1)  # noqa: B023
        eventually(lambda: not shadowed.row(layout.ROW_ACTIVE))
    assert shadowed.row(layout.ROW_STATUS_2XX) == 4


def held_until(free: Event) -> Callable[[bytes, bytes], bytes]:
    def answer(head: bytes, body: bytes) -> bytes:
        free.wait()
        return response()

    return answer


def test_more_copies_than_there_is_room_for_are_dropped(shadowed: Shadowed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.worker.mirrors.MOST_COPIES", 3)
    free = Event()
    shadowed.use(mirror=held_until(free))
    for _ in range(5):
        shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_REJECTED) == 2)
    free.set()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 3)
    shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 4)


def test_the_bytes_that_copies_hold_are_bounded(shadowed: Shadowed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.worker.mirrors.MOST_HELD_BYTES", 100_000)
    free = Event()
    shadowed.use(mirror=held_until(free))
    for _ in range(3):
        shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_REJECTED) == 1)
    free.set()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 2)


def test_a_failing_primary_is_copied_all_the_same(shadowed: Shadowed) -> None:
    shadowed.use(primary=lambda head, body: b"nonsense\r\n\r\n", compare={})
    assert b"bad_upstream" in shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 1)
    assert shadowed.row(layout.ROW_COMPARED) == 0


def test_a_split_and_a_mirror_work_together(shadowed: Shadowed) -> None:
    shadowed.use()
    addresses = {"p": shadowed.primary.address, "m": shadowed.mirror.address}
    shadowed.stage.use(
        [{"name": name, "address": address} for name, address in addresses.items()],
        [{"name": name, "servers": [name]} for name in addresses],
        [{"name": "all", "path": "/*", "nodes": [{"cluster": "p"}]}],
        [
            {"name": "a-split", "cluster": "m"},
            {"name": "b-other", "cluster": "p"},
            {"name": "shadow", "cluster": "p", "action": "mirror", "compare": {}},
        ],
    )
    assert shadowed.ask() == b"mirror"
    eventually(lambda: shadowed.primary.requests)
    eventually(lambda: shadowed.stage.table.row_total(RULE_ROW + 2, layout.ROW_DIFFERED) == 1)


# -- comparing -------------------------------------------------------------------------------------------------------


def json_answer(value: Any, *lines: bytes) -> bytes:
    return response(json.dumps(value).encode(), b"Content-Type: application/json", *lines)


def chunked_answer(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def test_equal_answers_are_counted(shadowed: Shadowed) -> None:
    compare = {"headers": ["X-Version"], "ignore": ["time"]}
    shadowed.use(
        primary=lambda head, body: json_answer({"a": 1, "time": 1}, b"X-Version: 1"),
        mirror=lambda head, body: chunked_answer({"time": 2, "a": 1}).replace(b"OK\r\n", b"OK\r\nX-Version: 1\r\n"),
        compare=compare,
    )
    shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_COMPARED) == 1)
    assert (shadowed.row(layout.ROW_DIFFERED), shadowed.samples()) == (0, [])


def test_differences_are_counted_and_left_as_samples(shadowed: Shadowed) -> None:
    shadowed.use(
        primary=lambda head, body: json_answer({"a": 1}, b"X-Version: 1"),
        mirror=lambda head, body: json_answer({"a": 2}).replace(b"200 OK", b"500 Oh"),
        compare={"headers": ["X-Version"]},
    )
    shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_DIFFERED) == 1)
    (sample,) = shadowed.samples()
    assert sample["differences"] == [
        {"place": "status", "primary": "200", "mirror": "500"},
        {"place": "header x-version", "primary": "1", "mirror": None},
        {"place": "body.a", "primary": "1", "mirror": "2"},
    ]
    assert (sample["rule"], sample["api"], sample["server"]) == ("shadow", "all", "m")
    assert (sample["method"], sample["target"]) == ("GET", "/x?a=1")
    assert sample["request_id"].encode() in shadowed.primary.requests[0][0]


def test_answers_that_stream_are_compared(shadowed: Shadowed) -> None:
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (b'{"a": ', b"1}")]

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            gevent.sleep(0.01)
            peer.send(part)
        peer.send(b"0\r\n\r\n")

    shadowed.use(mirror=lambda head, body: json_answer({"a": 2}), compare={})
    shadowed.primary._script = script
    client = shadowed.stage.connect()
    client.send(GET)
    client.head()
    assert client.chunked_body()[0] == b'{"a": 1}'
    eventually(lambda: shadowed.row(layout.ROW_DIFFERED) == 1)
    assert shadowed.samples()[0]["differences"][0]["place"] == "body.a"


def test_large_answers_are_compared_but_for_their_bodies(shadowed: Shadowed) -> None:
    shadowed.use(
        primary=lambda head, body: response(b"x" * 3_000, b"X-A: 1"),
        mirror=lambda head, body: response(b"y" * 3_000, b"X-A: 2"),
        compare={"headers": ["X-A"]},
        max_body_bytes=1000,
    )
    assert len(shadowed.ask()) == 3_000
    eventually(lambda: shadowed.row(layout.ROW_DIFFERED) == 1)
    assert [found["place"] for found in shadowed.samples()[0]["differences"]] == ["header x-a"]


def test_only_some_are_compared(shadowed: Shadowed) -> None:
    shadowed.use(compare={"percent": 0})
    shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 1)
    assert shadowed.row(layout.ROW_COMPARED) == 0


def test_samples_are_few_in_a_second(shadowed: Shadowed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.worker.mirrors.MOST_SAMPLES_PER_S", 2)
    monkeypatch.setattr("gproxy.worker.mirrors.monotonic", lambda: 1000.5)
    shadowed.use(compare={}, timeout_s=300)
    for _ in range(4):
        shadowed.ask()
    eventually(lambda: shadowed.row(layout.ROW_DIFFERED) == 4)
    assert len(shadowed.samples()) == 2


def test_a_client_that_leaves_stops_the_original_only(shadowed: Shadowed) -> None:
    shadowed.use(primary=lambda head, body: None, compare={})
    client = shadowed.stage.connect()
    client.send(GET)
    eventually(lambda: shadowed.primary.requests)
    client.close()
    eventually(lambda: shadowed.row(layout.ROW_STATUS_2XX) == 1)
    assert shadowed.row(layout.ROW_COMPARED) == 0


def test_a_part_of_an_aggregation_is_copied_and_compared(shadowed: Shadowed) -> None:
    nodes = [{"cluster": "p", "attr": "one"}, {"cluster": "p", "attr": "two", "rewrite": "/two"}]
    shadowed.use(
        primary=lambda head, body: json_answer({"a": 1}),
        mirror=lambda head, body: json_answer({"a": 2}),
        api={"nodes": nodes},
        node="two",
        compare={},
    )
    assert json.loads(shadowed.ask()) == {"one": {"a": 1}, "two": {"a": 1}}
    eventually(lambda: shadowed.row(layout.ROW_DIFFERED) == 1)
    assert [head.split()[1] for head, _ in shadowed.mirror.requests] == [b"/two"]
