"""Limits in a worker: who is turned away, who goes to another server, and that places come back whatever happens."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from gproxy.shared import layout
from gproxy.shared.fleet import FleetCells
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GOOD = response(b"ok")
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def limit(stage: Stage, *servers: dict[str, Any], **api: Any) -> None:
    """Proxy everything to these servers."""
    named = [{"name": f"s{number}", **server} for number, server in enumerate(servers)]
    cluster = {"name": "c", "servers": [server["name"] for server in named]}
    stage.use(named, [cluster], [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}], **api}])


def ask(stage: Stage) -> tuple[int, bytes]:
    """Send a request and return the status and the head of its answer."""
    client = stage.connect()
    client.send(REQUEST)
    head, _ = client.message()
    client.close()
    return int(head[9:12]), head


def cell(stage: Stage, row: int, offset: int) -> int:
    return stage.runtime.cells[stage.table.row_base(0, row) + offset]


def test_an_api_that_is_asked_too_often(stage: Stage) -> None:
    with Backend(answers(GOOD)) as backend:
        limit(stage, {"address": backend.address}, rate_limit={"rate": 2, "per_s": 60, "status": 503})
        assert [ask(stage)[0] for _ in range(3)] == [200, 200, 503]
        _, head = ask(stage)
        assert b"\r\nRetry-After: 60\r\n" in head
        assert b"\r\nRateLimit-Limit: 2\r\n" in head
        assert cell(stage, 2, layout.ROW_REJECTED) == 2


def test_a_server_that_has_enough_leaves_requests_to_others(stage: Stage) -> None:
    with Backend(answers(GOOD)) as busy, Backend(answers(response(b"other"))) as other:
        limit(stage, {"address": busy.address, "max_qps": 1, "burst": 1}, {"address": other.address})
        assert [ask(stage)[0] for _ in range(20)] == [200] * 20
        assert cell(stage, 1, layout.ROW_STATUS_2XX) >= 18


def test_when_all_servers_have_enough(stage: Stage) -> None:
    with Backend(answers(GOOD)) as backend:
        limit(stage, {"address": backend.address, "max_qps": 1})
        assert [ask(stage)[0] for _ in range(2)] == [200, 429]
        assert cell(stage, 0, layout.ROW_REJECTED) == 1


@pytest.mark.parametrize("where", ["api", "server"])
def test_a_place_comes_back_whatever_becomes_of_the_request(stage: Stage, where: str) -> None:
    def fails(peer: Peer) -> None:
        peer.head()

    server, api = {"max_connections": 1}, {"max_concurrency": 1}
    row = 0 if where == "server" else 2
    with Backend(fails) as backend:
        limit(stage, {"address": backend.address, **(server if where == "server" else {})}, **(api if row else {}))
        assert [ask(stage)[0] for _ in range(3)] == [502] * 3
    limit(stage, {"address": "127.0.0.1:1", **(server if where == "server" else {})}, **(api if row else {}))
    assert [ask(stage)[0] for _ in range(3)] == [502] * 3
    assert cell(stage, row, layout.ROW_HELD) == 0


@pytest.mark.parametrize("where", ["api", "server"])
def test_a_client_that_leaves_gives_its_place_back(stage: Stage, where: str) -> None:
    def never(peer: Peer) -> None:
        peer.rest()

    server, api = {"max_connections": 1}, {"max_concurrency": 1}
    row = 0 if where == "server" else 2
    with Backend(never) as backend:
        limit(stage, {"address": backend.address, **(server if where == "server" else {})}, **(api if row else {}))
        client = stage.connect()
        client.send(REQUEST)
        eventually(lambda: cell(stage, row, layout.ROW_HELD) == 1)
        status, head = ask(stage)
        assert status == 503
        assert b"\r\nRetry-After: 1\r\n" in head
        assert b"\r\nConnection: close\r\n" not in head
        client.close()
        eventually(lambda: cell(stage, row, layout.ROW_HELD) == 0)


def test_a_request_that_an_open_circuit_refuses_holds_no_place(stage: Stage) -> None:
    breaker = {"consecutive_failures": 1, "open_s": 60}
    limit(stage, {"address": "127.0.0.1:1", "max_connections": 1, "circuit_breaker": breaker})
    assert [ask(stage)[0] for _ in range(4)] == [502, 503, 503, 503]
    assert cell(stage, 0, layout.ROW_HELD) == 0


def test_a_retry_gives_one_place_back_before_it_takes_another(stage: Stage) -> None:
    with Backend(answers(GOOD)) as backend:
        limit(
            stage,
            {"address": "127.0.0.1:1", "max_connections": 1},
            {"address": backend.address, "max_connections": 1},
            retry={"attempts": 2, "backoff_ms": 1},
        )
        with gevent.Timeout(10):
            assert [ask(stage)[0] for _ in range(4)] == [200] * 4
        assert [cell(stage, row, layout.ROW_HELD) for row in (0, 1)] == [0, 0]


def test_a_limit_that_nodes_share_is_this_nodes_part_of_it(stage: Stage) -> None:
    with Backend(answers(GOOD)) as backend:
        limit(stage, {"address": backend.address}, rate_limit={"rate": 8, "per_s": 60, "scope": "cluster"})
        FleetCells(stage.table).divide(2, 0.25)
        assert [ask(stage)[0] for _ in range(3)] == [200, 200, 429]
        assert b"\r\nRateLimit-Limit: 8\r\n" in ask(stage)[1]
        FleetCells(stage.table).divide(2, 0.5)
        assert ask(stage)[0] == 429, "what was let through stays counted"
