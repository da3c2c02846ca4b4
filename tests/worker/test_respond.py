import json
import re
from email.utils import parsedate_to_datetime

import pytest

from gproxy.core.errors import BadRequest, BadUpstream, GatewayError, MethodNotAllowed, NoRoute, NoServer
from gproxy.core.http1 import parse_response_head, split_fields
from gproxy.core.reply import Reply
from gproxy.core.router import Route
from gproxy.worker import respond
from gproxy.worker.exchange import Exchange
from tests.worker.stage import Stage


def problem(exchange: Exchange, error: GatewayError) -> bytes:
    """Return what the client gets for a failure."""
    sent: list[bytes] = []
    exchange.client._send = lambda data: sent.append(data) or len(data)  # type: ignore[assignment,func-returns-value]
    exchange.respond(*respond.problem(exchange, error))
    return b"".join(sent)


def test_a_problem_document(stage: Stage) -> None:
    exchange = stage.exchange()
    response = problem(exchange, BadUpstream("The server could not be reached.", "10.0.0.1 refused"))
    head, _, body = response.partition(b"\r\n\r\n")
    assert parse_response_head(head + b"\r\n", 100).length == len(body)
    line, _, block = (head + b"\r\n").partition(b"\r\n")
    assert line == b"HTTP/1.1 502 Bad Gateway"
    fields = dict(split_fields(block))
    parsedate_to_datetime(fields.pop(b"Date").decode())
    request_id = exchange.request_id.decode()
    assert fields == {
        b"Content-Type": b"application/problem+json",
        b"Content-Length": b"%d" % len(body),
        b"X-Request-Id": exchange.request_id,
    }
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "The server could not be reached.",
        "code": "bad_upstream",
        "request_id": request_id,
    }
    assert (exchange.status, exchange.code, exchange.reason) == (502, "bad_upstream", "10.0.0.1 refused")


def test_a_failure_without_a_reason_is_logged_with_its_detail(stage: Stage) -> None:
    exchange = stage.exchange()
    problem(exchange, NoRoute("No API matches this request."))
    assert exchange.reason == "No API matches this request."


@pytest.mark.parametrize(
    ("minor", "keeps_alive", "connection"),
    [(b"1", True, []), (b"1", False, [b"close"]), (b"0", True, [b"keep-alive"]), (b"0", False, [b"close"])],
)
def test_persistence_is_said(stage: Stage, minor: bytes, keeps_alive: bool, connection: list[bytes]) -> None:
    exchange = stage.exchange(minor=minor)
    exchange.keeps_alive = keeps_alive
    response = problem(exchange, NoRoute("Nothing here."))
    assert re.findall(rb"\r\nConnection: ([^\r]*)\r\n", response) == connection


def test_head_gets_the_head_alone(stage: Stage) -> None:
    got, head = (problem(stage.exchange(method=method), NoRoute("Nothing.")) for method in (b"GET", b"HEAD"))
    assert head.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in head
    assert got.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_fields_of_the_error_are_sent(stage: Stage) -> None:
    error = MethodNotAllowed("This path allows GET.", headers=(("Allow", "GET, HEAD"),))
    assert b"\r\nAllow: GET, HEAD\r\n" in problem(stage.exchange(), error)


@pytest.mark.parametrize(("error", "is_told"), [(NoServer("None."), True), (NoRoute("None."), False)])
def test_when_to_ask_again(stage: Stage, error: GatewayError, is_told: bool) -> None:
    assert (b"\r\nRetry-After: 1\r\n" in problem(stage.exchange(), error)) is is_told


@pytest.mark.parametrize("error", [BadRequest('Was: "é\\\r\n'), GatewayError("Oops.")])
def test_details_cannot_break_the_document(stage: Stage, error: GatewayError) -> None:
    body = problem(stage.exchange(), error).partition(b"\r\n\r\n")[2]
    assert json.loads(body)["detail"] == error.detail


def test_a_reply_says_what_the_filters_make_of_it(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1", response_headers={"set": {"X-Mine": "1"}})
    exchange = stage.exchange()
    assert stage.runtime.snapshot is not None
    exchange.api = next(value.target for value in stage.runtime.snapshot.compiled.values() if isinstance(value, Route))
    head, body = respond.reply(exchange, Reply(302, b"Location: /b\r\n", b"go"))
    assert head.startswith(b"HTTP/1.1 302 Found\r\nDate: ")
    assert head.endswith(b"\r\nLocation: /b\r\nX-Mine: 1\r\n")
    assert (exchange.status, body) == (302, b"go")


def test_a_status_without_a_phrase(stage: Stage) -> None:
    assert respond.reply(stage.exchange(), Reply(299, b"", b""))[0].startswith(b"HTTP/1.1 299 \r\n")
