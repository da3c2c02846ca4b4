"""Answers of the gateway's own that an API asks for: what clients see, and what is counted."""

import json
import logging

import pytest

from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage

GET = b"GET /a/b?c=1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
DEFAULT = {"headers": {"X-A": "1"}, "body": {"items": []}}


def ask(client: Peer, request: bytes = GET) -> tuple[bytes, bytes]:
    client.send(request)
    return client.message()


def row(stage: Stage, counter: int) -> int:
    """Return a counter of the API: of the one server, the one cluster and the one API it is the third."""
    return stage.table.row_total(2, counter)


def test_a_default_response_stands_in_for_servers(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.proxy_to("127.0.0.1:1", default_response=DEFAULT, response_headers={"set": {"X-B": "2"}})
    client = stage.connect()
    with caplog.at_level(logging.WARNING):
        for count in (1, 2):
            head, body = ask(client)
            assert (head[:17], body) == (b"HTTP/1.1 200 OK\r\n", b'{"items": []}')
            assert b"\r\nX-A: 1\r\n" in head
            assert b"\r\nX-B: 2\r\n" in head
            assert (row(stage, layout.ROW_FAILURES), row(stage, layout.ROW_STATUS_2XX)) == (count, count)
    assert stage.table.row_total(0, layout.ROW_FAILURES) == stage.table.row_total(0, layout.ROW_UNANSWERED) == 2
    record = caplog.records[0]
    assert (record.message, vars(record)["code"], vars(record)["status"]) == ("request failed", "bad_upstream", 200)


def test_a_servers_own_failure_passes(stage: Stage) -> None:
    with Backend(answers(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")) as backend:
        stage.proxy_to(backend, default_response=DEFAULT)
        head, body = ask(stage.connect())
    assert (head[:17], body) == (b"HTTP/1.1 503 Busy", b"busy")


def test_an_open_circuit_has_the_default_response(stage: Stage) -> None:
    breaker = {"consecutive_failures": 1, "open_s": 60}
    stage.proxy_to("127.0.0.1:1", default_response=DEFAULT, circuit_breaker=breaker)
    client = stage.connect()
    for _ in range(3):
        assert ask(client)[0][9:12] == b"200"
    assert row(stage, layout.ROW_REJECTED) == 2


def test_a_time_out_is_counted_as_one(stage: Stage) -> None:
    with Backend(Peer.rest) as backend:  # reads, and says nothing
        stage.proxy_to(backend, default_response={"status": 203}, timeouts={"response_s": 0.05})
        assert ask(stage.connect())[0][9:12] == b"203"
        assert (stage.cell(layout.TIMEOUTS), stage.cell(layout.STATUS_2XX)) == (1, 1)


def test_a_mock_asks_no_server(stage: Stage) -> None:
    stage.use(apis=[{"name": "m", "path": "/*", "mock": True, "default_response": {"status": 418, "body": "tea"}}])
    client = stage.connect()
    head, body = ask(client)
    assert (head[9:12], body) == (b"418", b"tea")
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.head().count(b"Content-Length: 3") == 1
    head, body = ask(client)  # nothing of a body was sent for HEAD
    assert (head[9:12], body) == (b"418", b"tea")
    assert ask(client, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")[1] == b"tea"
    assert stage.table.row_total(0, layout.ROW_STATUS_4XX) == 4


def test_a_redirect_asks_no_server(stage: Stage) -> None:
    stage.use(apis=[{"name": "m", "path": "/a/*", "redirect": {"location": "https://{host}/{*}?{query}"}}])
    client = stage.connect()
    head, body = ask(client)
    assert (head[9:12], body) == (b"302", b"")
    assert b"\r\nLocation: https://a.example/b?c=1\r\n" in head
    assert b"\r\nContent-Length: 0\r\n" in head
    stage.use(apis=[{"name": "m", "path": "/a/*", "redirect": {"location": "/{header.x}"}}])
    head, body = ask(client)
    assert (head[9:12], json.loads(body)["code"]) == (b"400", "bad_value")


def test_what_is_left_of_a_body_ends_the_connection(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend, mock=True, default_response={})
        client = stage.connect()
        head, _ = ask(client, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    assert b"\r\nConnection: close\r\n" in head
