"""What filters do to an exchange, and what becomes of one whose filter fails."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from gproxy import filters
from gproxy.core.errors import GatewayError
from gproxy.shared import layout
from gproxy.worker.exchange import Exchange
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def code_of(client: Peer, request: bytes = GET) -> tuple[bytes, str]:
    """Send a request and read a problem document: (head, code)."""
    client.send(request)
    head, body = client.message()
    return head, json.loads(body)["code"]


class Failing:
    """A filter that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def before(self, exchange: Exchange) -> None:
        raise self.error


@pytest.fixture
def filter_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Put one more filter into every API."""
    return lambda made: monkeypatch.setattr(filters, "ORDER", (*filters.ORDER, lambda document: made))


def test_a_filter_may_answer(stage: Stage, filter_with: Callable[[Any], None]) -> None:
    class Teapot(GatewayError):
        status, code = 418, "teapot"

    filter_with(Failing(Teapot("No coffee.")))
    stage.proxy_to("127.0.0.1:1")
    client = stage.connect()
    head, code = code_of(client)
    assert (head[9:12], code) == (b"418", "teapot")
    assert code_of(client)[1] == "teapot"


def test_a_filter_that_fails_harms_nobody_else(
    stage: Stage, filter_with: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    filter_with(Failing(ZeroDivisionError("secret")))
    stage.proxy_to("127.0.0.1:1")
    client = stage.connect()
    with caplog.at_level(logging.ERROR):
        client.send(GET)
        head, body = client.message()
    assert head[9:12] == b"500"
    assert json.loads(body)["code"] == "internal_error"
    assert b"secret" not in body
    assert "ZeroDivisionError" in caplog.text
    assert code_of(client)[1] == "internal_error"
    assert (stage.requests(), stage.cell(layout.ACTIVE)) == (2, 0)


@pytest.mark.parametrize(
    "answer",
    [
        response(b"hello"),
        response(b"hello") + b"x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_a_filter_that_fails_on_the_way_back_can_still_be_answered(
    stage: Stage, filter_with: Callable[[Any], None], caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    class FailingLate:
        def after(self, exchange: Exchange, head: bytes) -> bytes:
            raise ZeroDivisionError

    filter_with(FailingLate())
    with Backend(answers(answer)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        with caplog.at_level(logging.CRITICAL):
            for _ in range(2):
                head, code = code_of(client)
                assert (head[9:12], code) == (b"500", "internal_error")
        assert len(backend.peers) == 2  # what is left of the response is on the first connection


def test_header_edits_both_ways(stage: Stage) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.send(response(b"ok", b"Server: x"))

    with Backend(script) as backend:
        edits = {"set": {"X-Tier": "1"}, "remove": ["User-Agent", "X-Forwarded-For"]}
        stage.proxy_to(backend, request_headers=edits, response_headers={"remove": ["Server"], "add": {"X-A": "b"}})
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nX-Tier: 9\r\n\r\n")
        head, body = client.message()
    assert body == b"ok"
    assert b"\r\nX-A: b\r\n" in head
    assert b"Server" not in head
    assert heads[0].count(b"X-Tier") == heads[0].count(b"\r\nX-Tier: 1\r\n") == 1
    assert b"User-Agent" not in heads[0]
    assert b"X-Forwarded-For" not in heads[0]
