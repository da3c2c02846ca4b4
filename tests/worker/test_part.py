"""Requests of the gateway's own: what a server gets, how they end, and that they are counted at the server only."""

from typing import Any

import pytest

from gproxy.core.errors import BadUpstream, NoServer, UpstreamTimeout
from gproxy.shared import layout
from gproxy.worker.exchange import Exchange
from gproxy.worker.link import hub
from gproxy.worker.part import Part
from tests.worker.parts import asked, run, the_api, whole_request
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

SERVER, API = 0, 1


def counted(stage: Stage, row: int) -> dict[str, int]:
    """Return the counters of a row that are not zero."""
    cells, base = stage.table.cells, stage.table.row_base(0, row)
    assert cells[base + layout.ROW_ACTIVE] == 0, "nothing is in flight"
    return {name: cells[base + cell] for name, cell in layout.ROW_COUNTER_NAMES.items() if cells[base + cell]}


def counted_statuses(stage: Stage) -> list[int]:
    """Return which outcomes the server has counted."""
    cells, base = stage.table.cells, stage.table.row_base(0, SERVER)
    return [outcome for outcome in layout.ROW_OUTCOMES if cells[base + outcome]]


def test_a_server_gets_what_the_client_said(stage: Stage) -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.extend(peer.message())
        peer.send(response(b"fine"))

    with Backend(script) as backend:
        stage.proxy_to(backend)
        whole = whole_request(stage, b"Host: a\r\nX-Own: 1\r\n", b"hello", b"POST")
        part = Part(whole, the_api(stage).nodes[0], 10)
        run(stage, part)
    head, body = got
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: a\r\nX-Own: 1\r\n")
    assert b"\r\nX-Request-Id: %b\r\n" % whole.request_id in head
    assert body == b"hello"
    assert (part.status, part.data, part.failure) == (200, b"fine", None)
    assert part.json("") is None


def test_a_method_of_the_node_counts_as_its_own(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend, nodes=[{"cluster": "c", "method": "POST"}])
        assert asked(stage).method == b"POST"


def test_it_is_counted_at_the_server_and_nowhere_else(stage: Stage) -> None:
    with Backend(answers(response(b"fine"))) as backend:
        stage.proxy_to(backend)
        asked(stage)
    assert counted(stage, SERVER).pop("bytes_out") > len("fine")
    assert counted_statuses(stage) == [layout.ROW_STATUS_2XX]
    assert counted(stage, API) == {}
    assert stage.requests() == 0


@pytest.mark.parametrize("status", [200, 404, 503])
def test_an_answer_is_no_failure_whatever_its_status(stage: Stage, status: int) -> None:
    with Backend(answers(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nno" % status)) as backend:
        stage.proxy_to(backend)
        part = asked(stage)
    assert (part.status, part.failure, part.data) == (status, None, b"no")
    assert counted_statuses(stage) == [layout.ROW_STATUS_1XX - 1 + status // 100]
    assert "failures" not in counted(stage, SERVER)


def test_no_server(stage: Stage) -> None:
    stage.proxy_to()
    part = asked(stage)
    assert isinstance(part.failure, NoServer)
    assert (part.status, part.code) == (503, "no_server")


def test_a_server_that_is_not_there(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with Backend(answers()) as backend:
        pass
    stage.proxy_to(backend.address)
    part = asked(stage)
    assert isinstance(part.failure, BadUpstream)
    assert part.failure.__traceback__ is None
    assert counted(stage, SERVER) == {"failures": 1, "unanswered": 1}
    assert counted_statuses(stage) == [layout.ROW_UNANSWERED]
    assert [record.message for record in caplog.records] == ["a part of a request failed"]


def test_a_server_that_is_too_slow(stage: Stage) -> None:
    with Backend(lambda peer: peer.rest()) as backend:
        stage.proxy_to(backend)
        part = asked(stage, timeout_s=0.05)
    assert isinstance(part.failure, UpstreamTimeout)
    assert counted(stage, SERVER) == {"failures": 1, "unanswered": 1}


def test_no_time_no_request(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        assert isinstance(asked(stage, timeout_s=-1).failure, UpstreamTimeout)
        assert backend.peers == []


def test_a_fault_of_ours_is_a_failure(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.proxy_to("127.0.0.1:1")
    part = Part(whole_request(stage), the_api(stage).nodes[0], 1)

    def send(exchange: Exchange, node: Any) -> None:
        raise ZeroDivisionError

    part.run(send, stage.runtime.recorder)
    assert (part.status, part.code) == (500, "internal_error")
    assert caplog.records[0].exc_info is not None


def leaving(stage: Stage, part: Part) -> None:
    """Run a part that is given up as soon as it waits for something."""

    def leave() -> None:
        if part.client.waits_for is None:
            hub.loop.run_callback(leave)
        else:
            part.leave()

    hub.loop.run_callback(leave)
    run(stage, part)


def test_what_nobody_waits_for_ends_and_blames_nobody(stage: Stage) -> None:
    ended: list[bool] = []

    def script(peer: Peer) -> None:
        peer.message()
        ended.append(peer.rest() == b"")

    with Backend(script) as backend:
        stage.proxy_to(backend, circuit_breaker={"consecutive_failures": 1})
        part = Part(whole_request(stage), the_api(stage).nodes[0], 1)
        leaving(stage, part)
        eventually(lambda: ended == [True])
    assert (part.status, part.code, part.failure) == (499, "client_gone", None)
    assert counted_statuses(stage) == [layout.ROW_CLIENT_GONE]
    assert "failures" not in counted(stage, SERVER)


def test_it_leaves_in_the_pause_before_another_attempt(stage: Stage) -> None:
    with Backend(lambda peer: (peer.message(), peer.close())) as backend:  # type: ignore[func-returns-value]
        stage.proxy_to(backend, retry={"attempts": 5, "backoff_ms": 60_000})
        part = Part(whole_request(stage), the_api(stage).nodes[0], 1)

        def leave() -> None:
            if not part.attempts or len(backend.peers) < 1 or part.server is not None:
                hub.loop.run_callback(leave)
            else:
                part.leave()

        part.attempts = 0
        hub.loop.run_callback(leave)
        run(stage, part)
    assert (part.status, part.attempts) == (499, 1)


def test_it_is_tried_again_by_the_rules_of_its_api(stage: Stage) -> None:
    with Backend(answers(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", response(b"now"))) as backend:
        stage.proxy_to(backend, retry={"attempts": 2, "statuses": "503", "backoff_ms": 0})
        part = asked(stage)
    assert (part.status, part.data, part.attempts) == (200, b"now", 2)
    assert counted(stage, SERVER)["retries"] == 1


def test_an_open_circuit_turns_it_away(stage: Stage) -> None:
    with Backend(answers(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")) as backend:
        servers = [{"name": "s", "address": backend.address, "circuit_breaker": {"consecutive_failures": 2}}]
        api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
        stage.use(servers, [{"name": "c", "servers": ["s"]}], [api])
        assert [asked(stage).code for _ in range(3)] == ["", "", "circuit_open"]


def test_a_limited_server_gets_its_place_back(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        servers = [{"name": "s", "address": backend.address, "max_connections": 1}]
        api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
        stage.use(servers, [{"name": "c", "servers": ["s"]}], [api])
        assert [asked(stage).code for _ in range(3)] == ["", "", ""]
