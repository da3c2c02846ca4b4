"""Retries: what is sent again, where, how often, and what the client gets to see of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

OK = answers(response(b"ok"))
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nX-From: busy\r\nContent-Length: 4\r\n\r\nbusy"
REPORTED = {"report": True, "backoff_ms": 0}
#: nobody listens there
REFUSED = "127.0.0.1:1"


def silent(peer: Peer) -> None:
    """Read a request and never answer."""
    peer.message()
    peer.rest()


def closing(peer: Peer) -> None:
    """Read a request and close without an answer."""
    peer.message()
    peer.close()


def broken_head(peer: Peer) -> None:
    """Begin an answer and close within its head."""
    peer.message()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    peer.close()


def ask(stage: Stage, method: bytes = b"GET", body: bytes = b"") -> tuple[int, bytes, bytes]:
    """Send one request; return the status, the head and the body of its answer."""
    with stage.connect() as client:
        client.send(b"%b /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (method, len(body), body))
        head, answer = client.message()
    return int(head[9:12]), head, answer


def retries(stage: Stage, *backends: Backend | str, total_s: float = 5, **retry: Any) -> None:
    stage.proxy_to(*backends, retry=REPORTED | retry, timeouts={"total_s": total_s})


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_refused_connection_is_tried_elsewhere_for_any_method(stage: Stage, method: bytes) -> None:
    with Backend(OK) as backend:
        retries(stage, REFUSED, backend)
        reported = []
        for _ in range(4):
            status, head, _ = ask(stage, method, b"body")
            assert status == 200
            reported.append(head.partition(b"X-Gateway-Attempts: ")[2][:1])
        assert sorted(reported) == [b"1", b"1", b"2", b"2"]
    row = stage.table.row_base(0, 0)
    assert stage.runtime.cells[row + layout.ROW_RETRIES] == 2
    assert stage.runtime.cells[row + layout.ROW_FAILURES] == 2
    assert stage.runtime.cells[row + layout.ROW_ACTIVE] == 0


@pytest.mark.parametrize(
    ("method", "fields", "statuses"),
    [(b"GET", {}, [200, 200]), (b"POST", {}, [200, 502]), (b"POST", {"methods": "POST"}, [200, 200])],
)
def test_what_was_sent_is_sent_again_only_for_methods_that_allow_it(
    stage: Stage, method: bytes, fields: dict[str, Any], statuses: list[int]
) -> None:
    with Backend(closing) as bad, Backend(OK) as good:
        retries(stage, bad, good, **fields)
        assert sorted(ask(stage, method, b"x")[0] for _ in range(2)) == statuses


@pytest.mark.parametrize("retry", [{}, {"retry": {"attempts": 3}}])
def test_a_post_of_a_nodes_own_is_not_resent(stage: Stage, retry: dict[str, Any]) -> None:
    seen = []

    def once(peer: Peer) -> None:
        seen.append(peer.message()[0][:4])
        peer.send(response(b"ok"))
        seen.append(peer.message()[0][:4])
        peer.close()

    with Backend(once) as backend:
        stage.proxy_to(backend, nodes=[{"cluster": "c", "method": "POST"}], **retry)
        with stage.connect() as client:
            for status in (b"200", b"502"):
                client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                assert client.message()[0][9:12] == status
    assert seen == [b"POST", b"POST"]


def test_an_answer_that_has_begun_is_not_asked_for_again(stage: Stage) -> None:
    with Backend(broken_head) as bad, Backend(OK) as good:
        retries(stage, bad, good)
        assert sorted(ask(stage)[0] for _ in range(2)) == [200, 502]


def test_one_try_has_its_own_time_limit(stage: Stage) -> None:
    with Backend(silent) as bad, Backend(OK) as good:
        retries(stage, bad, good, per_try_timeout_s=0.05)
        assert [ask(stage)[0] for _ in range(2)] == [200, 200]


def test_the_total_deadline_includes_all_attempts(stage: Stage) -> None:
    with Backend(silent) as one, Backend(silent) as two:
        retries(stage, one, two, total_s=0.3, attempts=10, per_try_timeout_s=0.05, backoff_ms=1)
        status, head, _ = ask(stage)
        assert status == 504
        attempts = re.search(rb"\r\nX-Gateway-Attempts: (\d+)\r\n", head)
        assert attempts is not None
        assert 1 <= int(attempts[1]) <= 6


def test_statuses_are_retried_and_the_last_answer_passes_untouched(stage: Stage) -> None:
    with Backend(answers(BUSY)) as one, Backend(answers(BUSY)) as two:
        retries(stage, one, two, statuses="503", report=False)
        status, head, body = ask(stage)
        assert head + body == BUSY
        assert status == 503
        assert [len(backend.peers) for backend in (one, two)] == [1, 1]
        assert stage.runtime.cells[stage.table.row_base(0, 0) + layout.ROW_STATUS_5XX] == 1
    with Backend(answers(BUSY)) as one, Backend(OK) as two:
        retries(stage, one, two, statuses="503")
        assert [ask(stage)[0] for _ in range(4)] == [200] * 4
        assert len(one.peers) == 1, "its connection was good for the next request"


def test_a_body_that_is_not_at_hand_goes_out_once(stage: Stage) -> None:
    def early(peer: Peer) -> None:
        peer.head()
        peer.close()

    with Backend(early) as bad:
        retries(stage, bad, REFUSED)
        with stage.connect() as client:
            client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
            head, _ = client.message()
    assert head.startswith(b"HTTP/1.1 502 ")


def test_without_retry_there_is_one_attempt(stage: Stage) -> None:
    with Backend(OK) as backend:
        stage.proxy_to(REFUSED, backend)
        assert sorted(ask(stage)[0] for _ in range(2)) == [200, 502]


def test_a_single_server_is_tried_again(stage: Stage) -> None:
    times = iter(range(2))

    def second_time(peer: Peer) -> None:
        (closing if next(times) == 0 else OK)(peer)

    with Backend(second_time) as backend:
        retries(stage, backend)
        assert ask(stage)[0] == 200


def test_the_budget_bounds_how_many_are_repeated_at_once(stage: Stage) -> None:
    with Backend(silent) as hanging:
        retries(stage, REFUSED, hanging, total_s=0.2)
        clients = [stage.connect() for _ in range(20)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        api = stage.table.row_base(0, 3)
        eventually(lambda: stage.runtime.cells[api + layout.ROW_REPEATING])
        statuses = [int(client.head()[9:12]) for client in clients]
    assert statuses.count(502) >= 10 - 4, "a fifth of 20 may be repeated, half of them begin at the refused one"
    eventually(stage.is_quiet)
    assert stage.runtime.cells[api + layout.ROW_REPEATING] == 0
    assert 1 <= stage.runtime.cells[api + layout.ROW_RETRIES] <= 4


@pytest.mark.parametrize("script", [closing, silent])
def test_a_client_that_leaves_ends_the_repeating(stage: Stage, script: Callable[[Peer], None]) -> None:
    with Backend(script) as backend:
        retries(stage, backend, attempts=2, backoff_ms=60_000, total_s=300)
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: backend.peers)
        client.close()
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == 1


def test_a_body_that_is_still_to_come_is_not_left_on_a_connection(stage: Stage) -> None:
    """A client's HEAD that the server gets as GET: its 503 has a body, which would answer the next request."""

    def slowly(peer: Peer) -> None:
        while peer.message()[0]:
            peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\n")
            eventually(lambda: stage.runtime.cells[stage.table.row_base(0, 1) + layout.ROW_ACTIVE])
            peer.send(b"busy")

    def answer(peer: Peer) -> None:
        peer.message()
        peer.send(response(b""))
        peer.rest()

    with Backend(slowly) as busy, Backend(answer) as good:
        stage.proxy_to(busy, good, nodes=[{"cluster": "c", "method": "GET"}], retry=REPORTED | {"statuses": "503"})
        assert ask(stage, b"HEAD")[0] == 200
        (pool,) = [pool for server, pool in stage.runtime.pools.items() if server.name == "s0"]
        assert pool.open == 0
