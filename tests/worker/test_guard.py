"""Circuit breakers in a worker: which server gets a request, what counts as its failure, and what is told."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gproxy.core.breaker import Cause, State
from gproxy.core.events import Kind, PanicCause, PanicState, Thing
from gproxy.shared import layout
from gproxy.shared.circuits import now_us, read
from gproxy.shared.fleet import FleetCells
from gproxy.shared.rings import RingReader
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GOOD = response(b"ok")
BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
#: nobody listens there
REFUSED = "127.0.0.1:1"


def guard(stage: Stage, *addresses: str, breaker: dict[str, Any], api: dict[str, Any] | None = None) -> None:
    """Proxy everything to a cluster of these servers with this breaker."""
    servers = [{"name": f"s{number}", "address": address} for number, address in enumerate(addresses)]
    cluster = {"name": "c", "servers": [server["name"] for server in servers], "circuit_breaker": breaker}
    stage.use(servers, [cluster], [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}], **(api or {})}])


def ask(stage: Stage, times: int = 1) -> list[int]:
    """Send so many requests, one after the other, and return their statuses."""
    statuses = []
    for _ in range(times):
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        statuses.append(int(client.head()[9:12]))
        client.close()
    return statuses


def test_an_open_circuit_answers_503(stage: Stage) -> None:
    with Backend(answers(BAD)) as backend:
        guard(stage, backend.address, breaker={"consecutive_failures": 3, "open_s": 7})
        assert ask(stage, 4) == [500, 500, 500, 503]
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, body = client.message()
        assert b"\r\nRetry-After: 7\r\n" in head
        assert b'"code": "circuit_open"' in body
        assert read(stage.table, 0).state is State.OPEN
        api_row = stage.table.row_base(0, 2)
        assert stage.runtime.cells[api_row + layout.ROW_REJECTED] == 2


def test_a_refused_connection_is_a_failure_and_others_take_over(stage: Stage) -> None:
    with Backend(answers(GOOD)) as backend:
        guard(stage, REFUSED, backend.address, breaker={"consecutive_failures": 1})
        statuses = ask(stage, 6)
        assert sorted(statuses) == [200] * 5 + [502]
        assert statuses[2:] == [200] * 4


def break_off(peer: Peer) -> None:
    """Begin an answer and reset the connection within its body."""
    while peer.message()[0]:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        peer.reset()
        return


def hang(peer: Peer) -> None:
    peer.message()
    peer.rest()


@pytest.mark.parametrize("script", [break_off, hang])
def test_what_breaks_off_or_takes_too_long_is_a_failure(stage: Stage, script: Callable[[Peer], None]) -> None:
    with Backend(script) as backend:
        guard(stage, backend.address, breaker={"consecutive_failures": 2}, api={"timeouts": {"response_s": 0.05}})
        ask(stage, 2)
        eventually(lambda: read(stage.table, 0).state is State.OPEN)


def test_a_client_that_leaves_blames_nobody(stage: Stage) -> None:
    with Backend(hang) as backend:
        guard(stage, backend.address, breaker={"consecutive_failures": 1})
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: backend.peers)
        client.close()
        eventually(stage.is_quiet)
        assert read(stage.table, 0).state is State.CLOSED


def test_which_statuses_count_is_a_setting(stage: Stage) -> None:
    breaker = {"consecutive_failures": 1, "failure_statuses": "404, 502-504"}
    with Backend(answers(BAD, BAD, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as backend:
        guard(stage, backend.address, breaker=breaker)
        assert ask(stage, 4) == [500, 500, 404, 503]


def test_a_failure_counts_before_its_body_is_through(stage: Stage) -> None:
    def endless(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 9\r\n\r\n")
        peer.rest()

    with Backend(endless) as backend:
        guard(stage, backend.address, breaker={"consecutive_failures": 1})
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        assert read(stage.table, 0).state is State.OPEN


def test_a_server_that_recovers_is_used_again(stage: Stage) -> None:
    breaker = {"consecutive_failures": 1, "open_s": 0.1, "half_open_successes": 1}
    with Backend(answers(BAD, GOOD)) as backend:
        guard(stage, backend.address, breaker=breaker)
        client = stage.connect()
        statuses = []
        for _ in range(2):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            statuses.append(int(client.message()[0][9:12]))
        assert statuses == [500, 503]
        eventually(lambda: ask(stage) == [200])
        assert ask(stage, 5) == [200] * 5
    causes = [told.event.cause for told in RingReader(stage.table).news()]
    assert causes == [Cause.CONSECUTIVE_FAILURES, Cause.OPEN_TIME_OVER, Cause.PROBES_SUCCEEDED]


def test_each_move_is_an_event(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with Backend(answers(BAD)) as backend:
        guard(stage, backend.address, breaker={"consecutive_failures": 2})
        ask(stage, 2)
    (told,) = RingReader(stage.table).news()
    event = told.event
    assert (event.kind, event.thing, event.row, event.epoch) == (Kind.CIRCUIT, Thing.SERVER, 0, 1)
    assert (event.before, event.after, event.cause) == (State.CLOSED, State.OPEN, Cause.CONSECUTIVE_FAILURES)
    assert event.figures[0] == 2
    (record,) = [record for record in caplog.records if record.message == "circuit open"]
    assert (record.server, record.cause, record.failures_in_a_row) == ("s0", "consecutive_failures", 2)  # type: ignore[attr-defined]


def test_too_many_open_circuits_are_a_panic(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with Backend(answers(BAD)) as one, Backend(answers(BAD)) as two:
        guard(stage, one.address, two.address, breaker={"consecutive_failures": 1, "max_ejected_percent": 50})
        assert ask(stage, 6) == [500] * 6, "with both open all are used"
    assert [read(stage.table, row).state for row in (0, 1)] == [State.OPEN] * 2
    assert [record.message for record in caplog.records if "panic" in record.message] == [
        "panic: too many circuits are open, all servers are used"
    ]
    (event,) = [told.event for told in RingReader(stage.table).news() if told.event.kind is Kind.PANIC]
    assert (event.thing, event.row, event.figures) == (Thing.CLUSTER, 2, (2, 2, 0))
    assert (event.before, event.after, event.cause) == (PanicState.CALM, PanicState.PANIC, PanicCause.EJECTED)
    assert event.epoch, "several workers may tell of it"


def test_an_api_has_a_circuit_of_its_own(stage: Stage) -> None:
    with Backend(answers(BAD)) as backend:
        stage.proxy_to(backend, circuit_breaker={"consecutive_failures": 2})
        assert ask(stage, 4) == [500, 500, 503, 503]
        assert read(stage.table, 2).state is State.OPEN
        assert read(stage.table, 0).epoch == 0
    (told,) = RingReader(stage.table).news()
    assert (told.event.thing, told.event.row) == (Thing.API, 2)


def test_a_backup_takes_over_when_every_circuit_is_open(stage: Stage) -> None:
    with Backend(answers(BAD)) as broken, Backend(answers(GOOD)) as spare:
        servers: list[dict[str, Any]] = [
            {"name": "s0", "address": broken.address, "circuit_breaker": {"consecutive_failures": 1}},
            {"name": "s1", "address": spare.address, "backup": True},
        ]
        cluster = {"name": "c", "servers": ["s0", "s1"]}
        stage.use(servers, [cluster], [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}])
        assert ask(stage, 3) == [500, 200, 200]


def test_a_hanging_probe_is_one_at_a_time(stage: Stage) -> None:
    """At one percent the second request is turned away while the probe hangs, and after it too."""
    breaker = {"consecutive_failures": 1, "open_s": 0.05, "half_open_percent": 1}
    with Backend(hang) as backend:
        guard(stage, backend.address, breaker=breaker, api={"timeouts": {"response_s": 0.05}})
        assert ask(stage) == [504]
        gevent.sleep(0.06)
        probe = stage.connect()
        probe.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: read(stage.table, 0).state is State.HALF_OPEN)
        assert ask(stage) == [503]
        assert probe.head().startswith(b"HTTP/1.1 504")
        assert read(stage.table, 0).level == 1


def test_new_rules_apply_to_a_circuit_that_stays(stage: Stage) -> None:
    with Backend(answers(BAD)) as backend:
        guard(stage, backend.address, breaker={"consecutive_failures": 3})
        ask(stage, 2)
        guard(stage, backend.address, breaker={"consecutive_failures": 4})
        assert ask(stage, 3) == [500, 500, 503]


def test_a_server_whose_circuit_other_nodes_have_opened_gets_nothing(stage: Stage) -> None:
    with Backend(answers(BAD)) as first, Backend(answers(GOOD)) as second:
        guard(stage, first.address, second.address, breaker={"share": "cluster"})
        FleetCells(stage.table).open(0, now_us() + 60_000_000)
        assert ask(stage, 4) == [200] * 4, "the other one gets all"
        FleetCells(stage.table).open(1, now_us() + 9_500_000)
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"\r\nRetry-After: 10\r\n" in client.head()
        FleetCells(stage.table).open(0, 0)
        assert ask(stage) == [500]


def test_what_other_nodes_say_counts_as_ejected(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with Backend(answers(GOOD)) as first, Backend(answers(GOOD)) as second:
        guard(stage, first.address, second.address, breaker={"share": "cluster", "max_ejected_percent": 50})
        for row in (0, 1):
            FleetCells(stage.table).open(row, now_us() + 60_000_000)
        assert ask(stage, 4) == [200] * 4, "too many: all are used"


def test_circuits_that_are_not_shared_do_not_listen_to_others(stage: Stage) -> None:
    with Backend(answers(GOOD)) as backend:
        guard(stage, backend.address, breaker={})
        FleetCells(stage.table).open(0, now_us() + 60_000_000)
        assert ask(stage) == [200]
