"""Requests that are refused before they are routed, and how their connections end."""

import json
from collections.abc import Callable

import gevent
import pytest

from gproxy.shared import layout
from gproxy.worker import connection
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def problem(client: Peer) -> tuple[int, str]:
    """Read a problem document: (status, code)."""
    document = json.loads(client.message()[1])
    return document["status"], document["code"]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"x\r\n\r\n", (400, "bad_request")),
        (b"\r\n\r\n" + GET, (400, "bad_request")),
        (b"GET / HTTP/1.1\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", (400, "bad_request")),
        (b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", (400, "bad_request")),
        (b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", (400, "bad_request")),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", (400, "bad_request")),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", (417, "expectation_failed")),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, "bad_request")),
        # seen before the head is complete
        (b"GET / HTTP/1.1\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nA: b\rc", (400, "bad_request")),
        (b"\x16\x03\x01\x02\x00\x01", (400, "bad_request")),
        (b"GET /" + b"a" * 9000, (414, "target_too_long")),
        (b"GET /" + b"a" * 8193 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (414, "target_too_long")),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 40000, (431, "head_too_large")),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 33000 + b"\r\n\r\n", (431, "head_too_large")),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n", (431, "head_too_large")),
    ],
)
def test_what_is_not_a_request_is_refused_and_the_connection_ends(
    stage: Stage, wire: bytes, expected: tuple[int, str]
) -> None:
    client = stage.connect()
    client.send(wire)
    head, body = client.message()
    document = json.loads(body)
    assert (document["status"], document["code"]) == expected
    assert b"\r\nConnection: close\r\n" in head
    assert client.rest() == b""
    client.close()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)
    assert (stage.requests(), stage.cell(layout.ACTIVE)) == (1, 0)


@pytest.mark.parametrize(
    "wire",
    [
        b"GET /" + b"a" * 8191 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 32700 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 99 + b"\r\n",
    ],
)
def test_heads_just_within_the_limits(stage: Stage, wire: bytes) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(wire)
        assert client.message()[1] == b"ok"


def test_zero_is_no_limit(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"head_bytes": 0, "head_fields": 0, "target_bytes": 0})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        assert client.message()[1] == b"ok"
        client.send(b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\nHost: a\r\n" + b"A: %b\r\n" % (b"b" * 300) * 200 + b"\r\n")
        assert client.message()[1] == b"ok"


def test_a_client_that_goes_on_sending_still_gets_its_answer(stage: Stage) -> None:
    client = stage.connect()
    client.send(b"bad\r\n\r\n" + b"x" * 500_000)
    assert problem(client) == (400, "bad_request")
    client.send(b"x" * 100_000)
    assert client.rest() == b""
    client.close()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


@pytest.mark.parametrize(("limit", "value"), [("LINGER_S", 0.05), ("LINGER_BYTES", 1000)])
def test_lingering_has_an_end(stage: Stage, monkeypatch: pytest.MonkeyPatch, limit: str, value: float) -> None:
    monkeypatch.setattr(connection, limit, value)
    client = stage.connect()
    client.send(b"bad\r\n\r\n")
    assert problem(client) == (400, "bad_request")
    client.send(b"x" * 2000)
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


def test_a_head_that_takes_too_long(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"head_s": 0.1})
    client = stage.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    assert problem(client) == (408, "request_timeout")
    assert client.rest() == b""
    assert stage.cell(layout.TIMEOUTS) == 1


def test_a_drop_at_a_time_does_not_help(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"head_s": 0.15})
    client = stage.connect()

    def drip() -> None:
        while True:
            client.send(b"A: b\r\n")
            gevent.sleep(0.02)

    client.send(b"GET / HTTP/1.1\r\n")
    dripping = gevent.spawn(drip)
    assert problem(client) == (408, "request_timeout")
    dripping.kill()
