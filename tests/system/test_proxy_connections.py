"""Connections to servers: kept and reused, never used when stale, and the one safe resend (RFC 9112 9.3.1)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.client import Answer
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually

HOST = "script.test"


def ask(gateway: Gateway, method: str, target: str, body: bytes = b"") -> Answer:
    with gateway.client() as client:
        framing = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        client.send(f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{framing}\r\n".encode() + body)
        return client.receive(method)


def open_one_connection(gateway: Gateway, script: ScriptedBackend) -> Exchange:
    """Make the gateway keep one idle connection; return its exchange, not yet finished."""
    with gateway.client() as client:
        client.send(f"GET /opening HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.answer(b"open")
        assert client.receive().body == b"open"
    script.clear()
    return exchange


def targets(script: ScriptedBackend) -> list[str]:
    return [request.target for request in script.requests]


def test_one_connection_is_reused_for_different_clients(gateway: Gateway, script: ScriptedBackend) -> None:
    script.default = [lambda exchange: exchange.answer(b"ok")]
    before = script.connections
    for number in range(20):
        assert ask(gateway, "GET", f"/{number}").body == b"ok"
    assert script.connections == before + 1


def test_a_connection_is_reused_after_chunked_and_bodyless_answers(gateway: Gateway, script: ScriptedBackend) -> None:
    before = script.connections
    script.play(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    script.play(b"HTTP/1.1 204 Nothing\r\n\r\n")
    script.play(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    script.play(b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n")
    script.play(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    methods = ("GET", "GET", "HEAD", "GET", "POST")
    statuses = [ask(gateway, method, "/").status for method in methods]
    assert statuses == [200, 204, 200, 304, 200]
    assert script.connections == before + 1


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n"])
def test_a_connection_that_the_server_means_to_close_is_not_reused(
    head: bytes, gateway: Gateway, script: ScriptedBackend
) -> None:
    # the server says it will close, but does not: whoever uses the connection again gets no answer
    script.play(head + b"Content-Length: 5\r\n\r\nhello", Exchange.wait_gone)
    script.play(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
    assert ask(gateway, "GET", "/1").body == b"hello"
    assert ask(gateway, "POST", "/2").body == b"again"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_that_the_server_closed_is_never_used(
    method: str, gateway: Gateway, script: ScriptedBackend
) -> None:
    for number in range(20):
        script.play(lambda exchange: exchange.answer(b"ok"), Exchange.close)
        assert ask(gateway, method, f"/{number}").body == b"ok"
        eventually(lambda: script.open_connections() == 0)
    assert targets(script) == [f"/{number}" for number in range(20)]


@pytest.mark.parametrize("end", [Exchange.close, Exchange.reset], ids=["close", "reset"])
def test_a_connection_that_closes_as_a_post_comes_is_not_used(
    end: Callable[[Exchange], None], gateway: Gateway, script: ScriptedBackend
) -> None:
    """The gateway finds the closed connection and the request at the same time: a POST must not be risked."""
    exchange = open_one_connection(gateway, script)
    script.default = [Exchange.read_body, Exchange.answer]
    with gateway.client() as client:
        with gateway.frozen():
            end(exchange)
            client.send(f"POST /safe HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody".encode())
        assert client.receive().status == 200
    exchange.finish()
    assert targets(script) == ["/safe"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("end", [Exchange.close, Exchange.reset], ids=["close", "reset"])
def test_a_reused_connection_that_fails_is_replaced_once(
    method: str, end: Callable[[Exchange], None], gateway: Gateway, script: ScriptedBackend
) -> None:
    open_one_connection(gateway, script).finish()
    script.play(end)
    script.play(b"HTTP/1.1 204 Done\r\n\r\n")
    assert ask(gateway, method, "/again").status == 204
    assert targets(script) == ["/again", "/again"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "UNKNOWN"])
@pytest.mark.parametrize("end", [Exchange.close, Exchange.reset], ids=["close", "reset"])
def test_a_sent_request_that_is_not_idempotent_is_never_sent_again(
    method: str, end: Callable[[Exchange], None], gateway: Gateway, script: ScriptedBackend
) -> None:
    open_one_connection(gateway, script).finish()
    script.play(Exchange.read_body, end)
    script.default = [Exchange.read_body, lambda exchange: exchange.answer(b"twice")]
    answer = ask(gateway, method, "/once", b"body")
    assert (answer.status, answer.json()["code"]) == (502, "bad_upstream")
    assert targets(script) == ["/once"]


def test_the_resend_happens_only_once(gateway: Gateway, script: ScriptedBackend) -> None:
    open_one_connection(gateway, script).finish()
    script.default = [Exchange.close]
    assert ask(gateway, "GET", "/again").status == 502
    assert targets(script) == ["/again", "/again"]


def test_a_fresh_connection_that_fails_is_not_replaced(gateway: Gateway, script: ScriptedBackend) -> None:
    script.default = [Exchange.close]
    assert ask(gateway, "GET", "/fresh").status == 502
    assert targets(script) == ["/fresh"]


def test_nothing_is_sent_again_once_an_answer_began(gateway: Gateway, script: ScriptedBackend) -> None:
    open_one_connection(gateway, script).finish()
    script.play(b"HTTP/1.1 200 O", Exchange.close)
    script.default = [lambda exchange: exchange.answer(b"twice")]
    assert ask(gateway, "GET", "/begun").status == 502
    assert targets(script) == ["/begun"]


def test_the_servers_own_idle_limit_is_respected(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(lambda exchange: exchange.answer(b"ok", b"Keep-Alive: timeout=1\r\n"))
    assert ask(gateway, "GET", "/").body == b"ok"
    answered = time.monotonic()
    eventually(lambda: script.open_connections() == 0, 3, "the gateway closes before the server does")
    assert time.monotonic() - answered < 1.0


def test_a_server_that_cannot_be_reached_is_tried_again_later(
    gateway: Gateway, script: ScriptedBackend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: connecting is refused
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        with Gateway(tmp_path_factory.mktemp("refused"), documents({"script": address})) as own:
            answer = ask(own, "POST", "/")
            assert (answer.status, answer.json()["code"]) == (502, "bad_upstream")
            assert address.split(":")[1] not in answer.json()["detail"]
            own.apply(documents({"script": script.address}))
            script.default = [lambda exchange: exchange.answer(b"up")]
            assert ask(own, "POST", "/").body == b"up"
