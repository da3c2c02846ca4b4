"""How the parts of one request come together in time, and what is left of them: counters, connections, memory."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from gproxy.shared import layout
from tests.worker.aggregation import GET, Kitchen, after, closes, in_turn, never, says
from tests.worker.peer import Peer, eventually
from tests.worker.stage import Stage

A, B, C = says(b"1"), says(b"2"), says(b"3")
NO = says(b"no", status=500)
#: rows of the servers of three nodes, and of the API (behind the clusters)
ROWS, API = (0, 1, 2), 6


def outcomes(stage: Stage, row: int) -> list[int]:
    """Return the outcomes that a row has counted, each once."""
    base = stage.table.row_base(0, row)
    assert stage.table.cells[base + layout.ROW_ACTIVE] == 0, "nothing is in flight"
    return [outcome for outcome in layout.ROW_OUTCOMES for _ in range(stage.table.cells[base + outcome])]


def failures(stage: Stage, row: int) -> int:
    return stage.table.cells[stage.table.row_base(0, row) + layout.ROW_FAILURES]


class Gone:
    """A script that waits for its connection to end, and says how many did."""

    def __init__(self) -> None:
        self.asked = 0
        self.ended = 0

    def __call__(self, peer: Peer) -> None:
        if peer.message()[0]:
            self.asked += 1
            peer.rest()
            self.ended += 1


def test_the_parts_of_a_batch_run_at_the_same_time(stage: Stage) -> None:
    def meets_the_others(peer: Peer) -> None:
        peer.message()
        eventually(lambda: all(kitchen.got.values()))
        peer.send(A)

    with Kitchen(stage, dict.fromkeys("abc", meets_the_others)) as kitchen:
        assert kitchen.ask().status == 200


def test_batches_run_in_order(stage: Stage) -> None:
    def comes_first(peer: Peer) -> None:
        peer.message()
        gevent.sleep(0.02)
        assert kitchen.got["b"] == []
        peer.send(A)

    with Kitchen(stage, {"a": comes_first, "b": B}, {"b": {"batch": 1}}) as kitchen:
        assert kitchen.ask().status == 200
        assert len(kitchen.got["b"]) == 1


def test_a_failure_that_decides_is_the_answer_at_once_and_ends_the_others(stage: Stage) -> None:
    waits = Gone()
    with Kitchen(stage, {"a": NO, "b": waits, "c": waits}) as kitchen:
        answer = kitchen.ask()
        assert (answer.status, answer.parts) == (500, ["a;status=500"])
        eventually(lambda: waits.ended == waits.asked == 2)
    assert [outcomes(stage, row) for row in ROWS] == [
        [layout.ROW_STATUS_5XX],
        [layout.ROW_CLIENT_GONE],
        [layout.ROW_CLIENT_GONE],
    ]
    assert [failures(stage, row) for row in ROWS] == [0, 0, 0]


def test_an_earlier_node_may_still_have_the_last_word(stage: Stage) -> None:
    with Kitchen(stage, {"a": after(0.05, says(b"first", status=404)), "b": NO, "c": never}) as kitchen:
        assert kitchen.ask().body == b"first"
    with Kitchen(stage, {"a": after(0.05, A), "b": NO, "c": never}) as kitchen:
        assert kitchen.ask().body == b"no"


def test_a_later_batch_is_not_asked_after_a_failure(stage: Stage) -> None:
    with Kitchen(stage, {"a": NO, "b": B}, {"b": {"batch": 1}}) as kitchen:
        answer = kitchen.ask()
    assert (answer.status, answer.got["b"]) == (500, [])


def test_a_client_that_leaves_ends_every_part_and_blames_nobody(stage: Stage) -> None:
    waits = Gone()
    nodes = {"a": A, "b": waits, "c": waits}
    with Kitchen(stage, nodes, circuit_breaker={"consecutive_failures": 1}) as kitchen:
        client = stage.connect()
        client.send(GET)
        eventually(lambda: waits.asked == 2)
        client.close()
        eventually(lambda: waits.ended == 2 and stage.is_quiet())
        assert stage.cell(layout.CLIENT_GONE) == 1
        eventually(lambda: outcomes(stage, 2) == [layout.ROW_CLIENT_GONE])
        assert [failures(stage, row) for row in (*ROWS, API)] == [0, 0, 0, 0]
        kitchen.backends["b"].peers.clear()


def test_a_client_that_leaves_between_batches(stage: Stage) -> None:
    def leaves(peer: Peer) -> None:
        peer.message()
        client.close()
        eventually(lambda: all(served.gone for served in stage.runtime.clients))
        peer.send(A)
        peer.rest()

    with Kitchen(stage, {"a": leaves, "b": B}, {"b": {"batch": 1}}) as kitchen:
        client = stage.connect()
        client.send(GET)
        eventually(lambda: stage.cell(layout.CLIENT_GONE) == 1)
        assert kitchen.got["b"] == []


def test_every_part_counts_at_its_server_and_the_whole_at_its_api(stage: Stage) -> None:
    with Kitchen(stage, {"a": A, "b": NO, "c": closes}, merge={"on_failure": "partial"}) as kitchen:
        assert kitchen.ask().parts == ["a;status=200", "b;status=500", "c;status=502"]
        eventually(stage.is_quiet)
    assert [outcomes(stage, row) for row in (*ROWS, API)] == [
        [layout.ROW_STATUS_2XX],
        [layout.ROW_STATUS_5XX],
        [layout.ROW_UNANSWERED],
        [layout.ROW_STATUS_2XX],
    ]
    assert [failures(stage, row) for row in (*ROWS, API)] == [0, 0, 1, 0]
    assert stage.requests() == 1


def test_connections_to_servers_are_kept(stage: Stage) -> None:
    with Kitchen(stage, {"a": A, "b": B}) as kitchen:
        for _ in range(5):
            assert kitchen.ask().json() == {"a": 1, "b": 2}
        assert [len(backend.peers) for backend in kitchen.backends.values()] == [1, 1]


def test_requests_of_one_connection_follow_each_other(stage: Stage) -> None:
    with Kitchen(stage, {"a": A, "b": B}), stage.connect() as client:
        client.send(GET * 50)
        for _ in range(50):
            head, body = client.message()
            assert (head.split(b" ")[1], body) == (b"200", b'{"a":1,"b":2}')


def test_circuits_of_servers_count_parts(stage: Stage) -> None:
    with Kitchen(stage, {"a": A, "b": NO}, merge={"on_failure": "partial"}) as kitchen:
        servers = [
            {"name": "a", "address": kitchen.backends["a"].address},
            {"name": "b", "address": kitchen.backends["b"].address, "circuit_breaker": {"consecutive_failures": 2}},
        ]
        nodes = [{"cluster": name, "attr": name} for name in "ab"]
        api = {"name": "whole", "path": "/*", "nodes": nodes, "merge": {"on_failure": "partial"}}
        stage.use(servers, [{"name": name, "servers": [name]} for name in "ab"], [api])
        parts = [kitchen.ask().parts for _ in range(3)]
    assert parts == [["a;status=200", "b;status=500"]] * 2 + [["a;status=200", "b;status=503"]]
    assert len(kitchen.got["b"]) == 2


@pytest.mark.parametrize(("on_failure", "statuses"), [("fail", [500, 500, 503]), ("partial", [200, 200, 200])])
def test_the_circuit_of_an_api_judges_the_whole(stage: Stage, on_failure: str, statuses: list[int]) -> None:
    breaker = {"consecutive_failures": 2}
    with Kitchen(stage, {"a": A, "b": NO}, merge={"on_failure": on_failure}, circuit_breaker=breaker) as kitchen:
        assert [kitchen.ask().status for _ in range(3)] == statuses


def test_a_limit_of_the_api_counts_wholes(stage: Stage) -> None:
    with Kitchen(stage, {"a": after(0.05, A), "b": B, "c": C}, max_concurrency=1) as kitchen:
        with stage.connect() as client:
            client.send(GET)
            eventually(lambda: kitchen.got["a"])
            assert kitchen.ask().status == 503
            assert client.message()[0].startswith(b"HTTP/1.1 200")
        assert kitchen.ask().status == 200


def test_a_worker_that_drains_closes_after_the_answer(stage: Stage) -> None:
    with Kitchen(stage, {"a": after(0.05, A)}) as kitchen, stage.connect() as client:
        client.send(GET)
        eventually(lambda: kitchen.got["a"])
        stage.runtime.draining = True
        head, _ = client.message()
    assert b"\r\nConnection: close\r\n" in head


def test_failures_are_told_in_the_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with Kitchen(stage, {"a": A, "b": closes}) as kitchen:
        kitchen.ask()
        eventually(stage.is_quiet)
    part, request = caplog.records
    assert (part.message, request.message) == ("a part of a request failed", "request failed")
    assert (part.server, part.code) == ("b", "bad_upstream")  # type: ignore[attr-defined]
    assert request.reason.startswith("part b: ")  # type: ignore[attr-defined]


def test_the_access_log_lists_the_parts(staged: Callable[..., Stage], tmp_path: Path) -> None:
    stage = staged(log={"access": tmp_path / "access"})
    more = {"a": {"retry": {"backoff_ms": 0}}}
    with Kitchen(stage, {"a": in_turn(closes, A), "b": closes, "c": never}, more) as kitchen:
        kitchen.ask()
        eventually(stage.is_quiet)
    assert stage.runtime.access_log is not None
    stage.runtime.access_log.close()
    entry = json.loads((tmp_path / "access").read_bytes())
    assert (entry["status"], entry["code"], entry["api"], entry["server"]) == (502, "bad_upstream", "whole", "")
    for part in entry["parts"]:
        assert part.pop("duration_ms") >= 0
    assert entry["parts"] == [
        {"attr": "a", "server": "a", "status": 200, "code": "", "attempts": 2},
        {"attr": "b", "server": "b", "status": 502, "code": "bad_upstream", "attempts": 1},
        {"attr": "c", "server": "c", "status": 0, "code": "given_up", "attempts": 1},
    ]


@pytest.mark.parametrize("last", [A, NO, closes])
def test_nothing_is_left_for_the_garbage_collector(stage: Stage, last: bytes | Callable[[Peer], object]) -> None:
    with Kitchen(stage, {"a": A, "b": last, "c": C}, {"c": {"batch": 1, "rewrite": "/{a.x|1}"}}) as kitchen:
        for _ in range(3):
            kitchen.ask()
        eventually(stage.is_quiet)
        gc.collect()
        gc.disable()
        try:
            kitchen.ask()
            eventually(stage.is_quiet)
            parts = [found for found in gc.get_objects() if type(found).__name__ in ("NodePart", "Gathering")]
            assert parts == []
        finally:
            gc.enable()
