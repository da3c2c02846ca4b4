"""What the access log says of requests that end in every way there is: who ended them, when, and what took the time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import Event

from gproxy.shared import layout
from gproxy.worker.access_line import json_line
from tests.worker.peer import WITHIN_S, Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

OK = answers(response(b"ok"))
#: nobody listens there
REFUSED = "127.0.0.1:1"
_GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
_HALF = b'POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a'


class Logged:
    """A worker and the entries that it logs."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.entries: list[dict[str, Any]] = []
        stage.runtime.recorder._access = lambda exchange: self.entries.append(json.loads(json_line(exchange, ())))

    def last(self, count: int = 1) -> dict[str, Any]:
        """Return the last of so many entries, waiting for it."""
        eventually(lambda: len(self.entries) >= count)
        assert len(self.entries) == count
        return self.entries[-1]

    def ask(self, request: bytes = _GET) -> dict[str, Any]:
        """Send a request, read the answer and return its entry."""
        self.entries.clear()
        with self.stage.connect() as client:
            client.send(request)
            client.message()
        return self.last()


@pytest.fixture
def logged(staged: Callable[..., Stage]) -> Logged:
    return Logged(staged(timeouts={"response_s": 0.2, "connect_s": 2}))


def silent(peer: Peer) -> None:
    peer.head()
    peer.rest()


def test_an_answer(logged: Logged) -> None:
    with Backend(OK) as backend:
        logged.stage.proxy_to(backend)
        entry = logged.ask()
    assert (entry["end"], entry["attempts"], entry["server"], entry["address"]) == ("--", 1, "s0", backend.address)
    assert 0 < entry["connect_ms"] < entry["duration_ms"]
    assert entry["connect_ms"] + entry["server_ms"] <= entry["duration_ms"]
    assert (entry["body_ms"], entry["queue_ms"], entry["transfer_ms"]) == (0, 0, 0)
    assert "refused_by" not in entry


def test_an_open_connection_takes_no_time(logged: Logged) -> None:
    with Backend(OK) as backend, logged.stage.connect() as client:
        logged.stage.proxy_to(backend)
        for _ in range(2):
            client.send(_GET)
            client.message()
        entry = logged.last(2)
    assert (entry["connect_ms"], entry["end"]) == (0, "--")


def test_a_body_that_goes_on(logged: Logged) -> None:
    has_begun = Event()

    def script(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        has_begun.wait(WITHIN_S)
        peer.send(b"cd")

    with Backend(script) as backend, logged.stage.connect() as client:
        logged.stage.proxy_to(backend)
        client.send(_GET)
        client.until(b"ab")
        has_begun.set()
        client.exactly(2)
        entry = logged.last()
    assert entry["transfer_ms"] > 0
    assert entry["end"] == "--"


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ({"rate_limit": {"rate": 1, "per_s": 1000, "burst": 1}}, ("RR", 429, "rate_limit")),
        ({"access": {"deny": ["127.0.0.0/8"]}}, ("PR", 403, "access")),
        ({"auth": {"api_keys": {"keys": [{"consumer": "a", "sha256": "0" * 64}]}}}, ("PR", 401, "auth")),
        ({"validation": [{"in": "query", "name": "a", "required": True}]}, ("PR", 400, "validation")),
    ],
)
def test_what_filters_refuse(logged: Logged, api: dict[str, Any], expected: tuple[str, int, str]) -> None:
    with Backend(OK) as backend:
        logged.stage.proxy_to(backend, **api)
        if "rate_limit" in api:
            logged.ask()
        entry = logged.ask()
    assert (entry["end"], entry["status"], entry["refused_by"]) == expected
    assert (entry["attempts"], entry["server"], entry["server_ms"]) == (0, "", 0)


def test_a_request_that_is_none(logged: Logged) -> None:
    entry = logged.ask(b"GET /x HTTP/1.1\r\n\r\n")
    assert (entry["end"], entry["status"], entry["api"]) == ("PR", 400, "")


def test_a_server_that_refuses_the_connection(logged: Logged) -> None:
    logged.stage.proxy_to(REFUSED)
    entry = logged.ask()
    assert (entry["end"], entry["status"], entry["attempts"], entry["address"]) == ("SC", 502, 1, REFUSED)
    assert entry["server_ms"] == 0 < entry["connect_ms"]


def test_servers_that_were_tried_before(logged: Logged) -> None:
    with Backend(OK) as backend:
        retry = {"backoff_ms": 0}
        while True:
            logged.stage.proxy_to(REFUSED, backend, retry=retry)
            entry = logged.ask()
            if entry["attempts"] == 2:
                break
    assert (entry["end"], entry["server"]) == ("--", "s1")
    (earlier,) = entry["earlier"]
    assert (earlier["server"], earlier["address"], earlier["code"]) == ("s0", REFUSED, "bad_upstream")
    assert "connect failed" in earlier["reason"]


@pytest.mark.parametrize(
    ("said", "end", "status"),
    [
        (b"", "SH", 502),
        (b"nonsense\r\n\r\n", "SH", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "SD", 200),
    ],
)
def test_a_server_that_breaks_off(logged: Logged, said: bytes, end: str, status: int) -> None:
    def script(peer: Peer) -> None:
        peer.message()
        peer.send(said)
        peer.close()

    with Backend(script) as backend, logged.stage.connect() as client:
        logged.stage.proxy_to(backend)
        client.send(_GET)
        entry = logged.last()
    assert (entry["end"], entry["status"], entry["server"]) == (end, status, "s0")


def test_a_server_that_is_late(logged: Logged) -> None:
    with Backend(silent) as backend:
        logged.stage.proxy_to(backend)
        entry = logged.ask()
    assert (entry["end"], entry["status"]) == ("sH", 504)
    assert entry["server_ms"] > 100


@pytest.mark.parametrize(
    ("request_bytes", "api", "end"),
    [
        (_GET, {}, "CH"),
        (_HALF, {}, "CR"),
        (_HALF, {"validation": [{"in": "body", "name": "a", "required": True}]}, "CR"),
    ],
)
def test_a_client_that_leaves(logged: Logged, request_bytes: bytes, api: dict[str, Any], end: str) -> None:
    with Backend(silent) as backend:
        logged.stage.proxy_to(backend, **api)
        with logged.stage.connect() as client:
            client.send(request_bytes)
            eventually(lambda: not logged.stage.is_quiet())
        entry = logged.last()
    assert (entry["end"], entry["status"], entry["code"]) == (end, 499, "client_gone")
    assert entry["reason"]


def test_a_queue(logged: Logged) -> None:
    def slow(peer: Peer) -> None:
        while peer.message()[0]:
            eventually(lambda: len(clients) == 3)
            peer.send(response(b"ok"))

    clients: list[Peer] = []
    with Backend(slow) as backend:
        logged.stage.proxy_to(backend, max_concurrency=1, queue={"size": 1, "timeout_s": 5})
        for number in range(3):  # one is served, one waits, one is too many
            client = logged.stage.connect()
            client.send(_GET)
            eventually(lambda arrived=number + 1: logged.stage.cell(layout.ACTIVE) + len(logged.entries) == arrived)
            clients.append(client)
        for client in clients:
            client.message()
        logged.last(3)
    ends = sorted((entry["end"], entry["queue_ms"] > 0) for entry in logged.entries)
    assert ends == [("--", False), ("--", True), ("RR", False)]
    refused = next(entry for entry in logged.entries if entry["end"] == "RR")
    assert refused["refused_by"] == "max_concurrency"


def test_no_server_and_an_open_circuit(logged: Logged) -> None:
    breaker = {"consecutive_failures": 1, "open_s": 60}
    logged.stage.proxy_to(REFUSED, circuit_breaker=breaker)
    logged.ask()
    entry = logged.ask()
    assert (entry["end"], entry["refused_by"], entry["status"]) == ("DQ", "circuit_breaker", 503)
