"""What is counted, for the worker, the API and the server, on every way that an exchange can go."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from gproxy.core.histogram import BUCKETS, bounds
from gproxy.core.router import Route
from gproxy.shared import layout
from gproxy.worker.exchange import Exchange
from tests.worker.peer import Backend, Peer, answers, eventually, limited, response
from tests.worker.stage import Stage

REQUEST = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SERVER, API = 0, 2


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, log={"access": "off"})
    yield made
    made.close()


def counted(stage: Stage, row: int) -> dict[str, int]:
    """Return what a row has counted and is not zero; `requests` and `times` count every one that is over."""
    table, cells = stage.table, stage.table.cells
    base, histogram = table.row_base(0, row), table.histogram_base(0, row)
    found = {name: cells[base + cell] for name, cell in layout.ROW_COUNTER_NAMES.items()}
    found["requests"] = sum(cells[base + cell] for cell in layout.ROW_OUTCOMES)
    found["times"] = sum(cells[histogram : histogram + BUCKETS])
    assert cells[base + layout.ROW_ACTIVE] == 0, "nothing is in flight"
    return {name: count for name, count in found.items() if count}


def ask(stage: Stage, request: bytes, script: Callable[[Peer], None]) -> None:
    """Send one request through the stage to a backend that runs the script, and wait until it is over."""
    with limited(), Backend(script) as backend:
        stage.proxy_to(backend)
        with stage.connect() as client:
            client.send(request)
            client.head()
            eventually(stage.is_quiet)


def test_an_answer_counts_once_everywhere(stage: Stage) -> None:
    ask(stage, REQUEST, answers(response(b"hello")))
    api = counted(stage, API)
    assert api == counted(stage, SERVER)
    assert api.pop("bytes_out") > len("hello")
    assert api == {"status_2xx": 1, "requests": 1, "times": 1}
    assert stage.cell(layout.STATUS_2XX) == 1
    base = stage.table.slot_histogram_base(0)
    assert sum(stage.table.cells[base : base + BUCKETS]) == 1


def test_bytes_of_bodies(stage: Stage) -> None:
    ask(stage, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", answers(response()))
    assert counted(stage, API)["bytes_in"] == counted(stage, SERVER)["bytes_in"] == 5


def test_a_status_of_the_server_is_no_failure(stage: Stage) -> None:
    ask(stage, REQUEST, answers(b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n"))
    for row in (API, SERVER):
        assert counted(stage, row).keys() == {"status_5xx", "requests", "times", "bytes_out"}


def test_no_api_no_row(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1", path="/only")
    with limited(), stage.connect() as client:
        client.send(REQUEST)
        assert b"404" in client.head()
    eventually(stage.is_quiet)
    assert counted(stage, API) == counted(stage, SERVER) == {}
    assert stage.cell(layout.STATUS_4XX) == 1


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"])
def test_a_server_without_an_answer_has_failed(stage: Stage, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer)
        peer.close()

    ask(stage, REQUEST, script)
    api, server = counted(stage, API), counted(stage, SERVER)
    assert api.pop("bytes_out") > 0
    assert api == {"status_5xx": 1, "failures": 1, "requests": 1, "times": 1}
    assert server == {"unanswered": 1, "failures": 1, "requests": 1, "times": 1}


def test_nobody_to_connect_to(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1")
    with limited(), stage.connect() as client:
        client.send(REQUEST)
        assert b"502" in client.head()
    eventually(stage.is_quiet)
    assert counted(stage, SERVER)["unanswered"] == counted(stage, SERVER)["failures"] == 1


def test_a_broken_body_is_an_answer_and_a_failure(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")
        peer.close()

    ask(stage, REQUEST, script)
    for row in (API, SERVER):
        assert counted(stage, row).keys() == {"status_2xx", "failures", "requests", "times", "bytes_out"}


def test_a_client_that_leaves_is_nobodys_failure(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.rest()

    with limited(), Backend(script) as backend:
        stage.proxy_to(backend)
        with stage.connect() as client:
            client.send(REQUEST)
            eventually(lambda: stage.table.row_total(SERVER, layout.ROW_ACTIVE) == 1)
            assert stage.table.row_total(API, layout.ROW_ACTIVE) == 1
        eventually(stage.is_quiet)
    assert counted(stage, API) == counted(stage, SERVER) == {"client_gone": 1, "requests": 1, "times": 1}


def test_the_time_of_a_server_ends_with_its_head(stage: Stage) -> None:
    """A body that takes longer is the API's time, not the server's."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1")
        later = monotonic() + 0.03
        eventually(lambda: monotonic() > later)
        peer.send(b"23")

    def took_us(row: int) -> int:
        base = stage.table.histogram_base(0, row)
        return bounds(stage.table.cells[base : base + BUCKETS].tolist().index(1))[1]

    ask(stage, REQUEST, script)
    assert took_us(API) > 30_000
    assert took_us(API) - took_us(SERVER) > 25_000


@pytest.mark.parametrize(("status", "outcome"), [(0, {"unanswered": 1, "failures": 1}), (503, {"status_5xx": 1})])
def test_an_attempt_that_is_followed_by_another_is_over(stage: Stage, status: int, outcome: dict[str, int]) -> None:
    stage.proxy_to("127.0.0.1:1", "127.0.0.1:2")
    assert stage.runtime.snapshot is not None
    servers = stage.runtime.snapshot.clusters["c"].members
    exchange = Exchange.__new__(Exchange)
    exchange.attempted = 0.0
    exchange.received = exchange.sent = 0
    recorder = stage.runtime.recorder
    (route,) = (value for value in stage.runtime.snapshot.compiled.values() if isinstance(value, Route))
    recorder.enter(exchange, route.target)
    recorder.attempt(exchange, servers[0])
    recorder.attempt_over(exchange, status)
    assert exchange.server is None
    recorder.attempt(exchange, servers[1])
    assert counted(stage, SERVER) == {**outcome, "retries": 1, "requests": 1, "times": 1}
    assert stage.table.row_total(route.target.row, layout.ROW_RETRIES) == 1
    assert [stage.table.row_total(row, layout.ROW_ACTIVE) for row in range(2)] == [0, 1]


def test_connections_of_a_server(stage: Stage) -> None:
    def connections() -> tuple[int, int]:
        stage.runtime.count_connections()
        return stage.table.row_total(SERVER, layout.ROW_CONNECTIONS), stage.table.row_total(SERVER, layout.ROW_IDLE)

    def once(peer: Peer) -> None:
        peer.head()
        peer.send(response())
        peer.rest()

    with limited(), Backend(once) as backend:
        stage.proxy_to(backend)
        with stage.connect() as client:
            assert connections() == (0, 0)
            client.send(REQUEST)
            client.message()
            eventually(stage.is_quiet)
            assert connections() == (1, 1)
            client.send(REQUEST)  # which is never answered
            eventually(lambda: not stage.is_quiet())
            assert connections() == (1, 0)
        eventually(stage.is_quiet)
        assert connections() == (0, 0)
        stage.proxy_to(backend)
    stage.use()
    assert stage.table.row_total(SERVER, layout.ROW_CONNECTIONS) == 0


@pytest.mark.parametrize(("status", "counter"), [(200, "status_2xx"), (503, "status_5xx"), (0, "client_gone")])
def test_what_a_rule_led_elsewhere_counts_at_its_row(stage: Stage, status: int, counter: str) -> None:
    exchange, recorder, row = stage.exchange(), stage.runtime.recorder, 7
    recorder.enter_row(row)
    assert stage.table.row_total(row, layout.ROW_ACTIVE) == 1
    recorder.leave_row(exchange, row, status)
    assert counted(stage, row) == {counter: 1, "requests": 1, "times": 1}
