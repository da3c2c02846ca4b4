"""The short way of parts: which take it, and where it ends. That clients see no difference is in test_aggregate.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gproxy.shared import layout
from tests.worker.aggregation import GET, Kitchen, after, closes, in_turn, never, says
from tests.worker.peer import Peer, eventually
from tests.worker.stage import Stage
from tests.worker.test_gathering import Gone, outcomes
from tests.worker.test_record import counted

A, B = says(b"1"), says(b"2")


class Watched:
    """Counts the greenlets that are started."""

    def __init__(self, stage: Stage, kitchen: Kitchen) -> None:
        self.kitchen = kitchen
        self.started = 0
        start = stage.runtime.start

        def counted(task: object) -> None:
            self.started += 1
            start(task)  # type: ignore[arg-type]

        stage.runtime.start = counted  # type: ignore[method-assign]

    def greenlets(self, request: bytes = GET) -> int:
        """Return how many greenlets a request needed, which are those of parts when its whole needs none."""
        self.started = 0
        self.kitchen.ask(request)
        eventually(self.kitchen.stage.is_quiet)
        return self.started


def test_over_open_connections_no_part_needs_a_greenlet(stage: Stage) -> None:
    with Kitchen(stage, {"a": A, "b": B}) as kitchen:
        watched = Watched(stage, kitchen)
        assert watched.greenlets() == 2
        assert watched.greenlets() == 0
        assert watched.greenlets(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello") == 0
        assert stage.cell(layout.UPSTREAM_CONNECTS) == 2
        assert stage.cell(layout.UPSTREAM_REUSED) == 4


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_part_counts_on_the_short_way_as_on_the_long_one(stage: Stage, status: int) -> None:
    with Kitchen(stage, {"a": says(b"{}", status=status)}, merge={"on_failure": "partial"}) as kitchen:
        watched = Watched(stage, kitchen)
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        assert watched.greenlets(request) == 1
        long = counted(stage, 0)
        assert watched.greenlets(request) == 0
        both = counted(stage, 0)
    assert long.pop("bytes_out") < both.pop("bytes_out")
    assert long == {f"status_{status // 100}xx": 1, "requests": 1, "times": 1, "bytes_in": 5}
    assert both == {name: 2 * count for name, count in long.items()}


@pytest.mark.parametrize(
    "more",
    [
        {"cluster": {"load_balance": "random"}},
        {"cluster": {"circuit_breaker": {}}},
        {"server": {"max_connections": 5}},
        {"node": {"retry": {}}},
    ],
)
def test_what_has_more_to_decide_needs_one(stage: Stage, more: dict[str, dict[str, object]]) -> None:
    with Kitchen(stage, {"a": A}) as kitchen:
        server = {"name": "a", "address": kitchen.backends["a"].address, **more.get("server", {})}
        cluster = {"name": "a", "servers": ["a"], **more.get("cluster", {})}
        node = {"cluster": "a", "attr": "a", **more.get("node", {})}
        stage.use([server], [cluster], [{"name": "whole", "path": "/*", "nodes": [node]}])
        kitchen.open_connections()
        assert Watched(stage, kitchen).greenlets() == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" + A,
        says(b"1", b"Connection: close"),
        says(b"1", b"Content-Encoding: identity"),
        says(b'"%b"' % (b"x" * 100_000)),
    ],
)
def test_what_has_to_be_looked_at_goes_on_in_one(stage: Stage, answer: bytes) -> None:
    with Kitchen(stage, {"a": answer, "b": B}) as kitchen:
        kitchen.open_connections()
        assert Watched(stage, kitchen).greenlets() == 1
        assert stage.cell(layout.STATUS_2XX) == 1


def in_pieces(peer: Peer) -> None:
    while peer.message()[0]:
        for piece in (A[:10], A[10:60], A[60:]):
            peer.send(piece)
            eventually(lambda: True)


def test_an_answer_in_pieces(stage: Stage) -> None:
    with Kitchen(stage, {"a": in_pieces, "b": B}) as kitchen:
        kitchen.open_connections()
        assert kitchen.ask().json() == {"a": 1, "b": 2}


def test_a_request_that_the_socket_does_not_take_at_once(staged: Callable[..., Stage]) -> None:
    body = b"x" * 9_000_000
    stage = staged(limits={"buffered_body_bytes": 10_000_000})
    with Kitchen(stage, {"a": A, "b": B}) as kitchen:
        kitchen.open_connections()
        answer = kitchen.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert answer.json() == {"a": 1, "b": 2}
        assert [kitchen.got[attr][0][1] == body for attr in "ab"] == [True, True]


def test_a_connection_that_was_closed_meanwhile_is_replaced(stage: Stage) -> None:
    with Kitchen(stage, {"a": in_turn(closes, A), "b": B}) as kitchen:
        kitchen.open_connections()
        assert kitchen.ask().json() == {"a": 1, "b": 2}
        assert stage.cell(layout.RESENDS) == 1


def test_a_write_is_not_sent_twice(stage: Stage) -> None:
    with Kitchen(stage, {"a": in_turn(closes, A)}) as kitchen:
        kitchen.open_connections()
        assert kitchen.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1").status == 502
        assert stage.cell(layout.RESENDS) == 0


@pytest.mark.parametrize("timeouts", [{"response_s": 0.05}, {"total_s": 0.05}])
def test_a_server_that_is_too_slow(stage: Stage, timeouts: dict[str, float]) -> None:
    with Kitchen(stage, {"a": never, "b": B}, timeouts=timeouts, merge={"on_failure": "partial"}) as kitchen:
        kitchen.open_connections()
        assert kitchen.ask().parts == ["a;status=504", "b;status=200"]
    assert outcomes(stage, 0) == [layout.ROW_UNANSWERED]


def test_what_nobody_waits_for_is_given_up(stage: Stage) -> None:
    waits = Gone()
    with Kitchen(stage, {"a": says(b"no", status=500), "b": waits}) as kitchen:
        kitchen.open_connections()
        assert kitchen.ask().status == 500
        eventually(lambda: waits.ended == 1)
    assert outcomes(stage, 1) == [layout.ROW_CLIENT_GONE]


def test_a_client_that_leaves(stage: Stage) -> None:
    waits = Gone()
    with Kitchen(stage, {"a": waits, "b": waits}) as kitchen:
        kitchen.open_connections()
        client = stage.connect()
        client.send(GET)
        eventually(lambda: waits.asked == 2)
        client.close()
        eventually(lambda: waits.ended == 2 and stage.is_quiet())
    assert [outcomes(stage, row) for row in (0, 1)] == [[layout.ROW_CLIENT_GONE]] * 2


def test_servers_take_turns(stage: Stage) -> None:
    with Kitchen(stage, {"a": A, "b": B}) as kitchen:
        servers = [{"name": attr, "address": backend.address} for attr, backend in kitchen.backends.items()]
        nodes = [{"cluster": "c", "attr": f"n{at}"} for at in range(4)]
        stage.use(servers, [{"name": "c", "servers": ["a", "b"]}], [{"name": "whole", "path": "/*", "nodes": nodes}])
        for _ in range(5):
            assert sorted(kitchen.ask().json().values()) == [1, 1, 2, 2]


def test_a_fault_of_ours_fails_the_part_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Kitchen(stage, {"a": A, "b": after(0.01, B)}, merge={"on_failure": "partial"}) as kitchen:
        kitchen.open_connections()
        monkeypatch.setattr(
            "gproxy.worker.node_part.part_text", lambda head, data, *rest: b"%d" % (1 // (data != b"1"))
        )
        assert kitchen.ask().parts == ["a;status=500", "b;status=200"]
    assert "a part of a request failed" in [record.message for record in caplog.records]
