"""A client that leaves: its upstream request is cancelled at once, and the access log says 499."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.client import RawClient
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually

HOST = "script.test"
PROMPTLY_S = 2.0

leaving = pytest.mark.parametrize(
    "leave", [RawClient.close, RawClient.reset, RawClient.end], ids=["close", "reset", "half_close"]
)


def own_target() -> str:
    return f"/{uuid.uuid4().hex}"


def error_of_sending(exchange: Exchange, within_s: float) -> type[OSError]:
    """Send chunks until that fails, and say how."""
    exchange.wire.sock.settimeout(within_s)
    while True:
        try:
            exchange.wire.sock.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        except OSError as error:
            return type(error)


@leaving
def test_while_the_server_thinks(leave: Callable[[RawClient], None], gateway: Gateway, script: ScriptedBackend) -> None:
    target = own_target()
    with gateway.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        leave(client)
        assert exchange.ends_within(PROMPTLY_S)
        exchange.finish()
        assert gateway.access_entry(target)["status"] == 499


@leaving
def test_during_the_answer(leave: Callable[[RawClient], None], gateway: Gateway, script: ScriptedBackend) -> None:
    target = own_target()
    with gateway.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        client.receive_head()
        leave(client)
        assert exchange.ends_within(PROMPTLY_S)
        exchange.finish()
        assert gateway.access_entry(target)["status"] == 499


@leaving
def test_during_the_upload(leave: Callable[[RawClient], None], gateway: Gateway, script: ScriptedBackend) -> None:
    target = own_target()
    with gateway.client() as client:
        client.send(f"POST {target} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\nhello".encode())
        exchange = script.next_exchange()
        assert next(exchange.body_pieces()) == b"hello"
        leave(client)
        assert exchange.ends_within(PROMPTLY_S)
        exchange.finish()
        assert gateway.access_entry(target)["status"] == 499


def test_while_the_answer_waits_for_the_client_to_read(gateway: Gateway, script: ScriptedBackend) -> None:
    target = own_target()
    with gateway.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.receive_head()
        assert error_of_sending(exchange, 0.2) is TimeoutError  # every buffer on the way is full
        client.reset()
        assert error_of_sending(exchange, PROMPTLY_S) in (ConnectionResetError, BrokenPipeError)
        exchange.finish()
        assert gateway.access_entry(target)["status"] == 499


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset], ids=["close", "reset"])
def test_with_the_next_request_sent_already(
    leave: Callable[[RawClient], None], gateway: Gateway, script: ScriptedBackend
) -> None:
    target = own_target()
    with gateway.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        script.default = [Exchange.answer]
        client.send_apart([f"GET /next HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()])
        leave(client)
        is_cancelled = exchange.ends_within(PROMPTLY_S)
        exchange.close()
        exchange.finish()
        entry = gateway.access_entry(target)
        eventually(lambda: gateway.stats()["totals"]["active"] == 0)
        assert (is_cancelled, entry["status"], len(script.heads)) == (True, 499, 1)


def test_others_are_not_disturbed(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as leaver, gateway.client() as stayer:
        for client, target in ((leaver, own_target()), (stayer, "/stays")):
            client.send(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchanges = {exchange.target: exchange for exchange in (script.next_exchange(), script.next_exchange())}
        leaver.close()
        for target, exchange in exchanges.items():
            if target != "/stays":
                exchange.wait_gone()
        exchanges["/stays"].answer(b"stayed")
        assert stayer.receive().body == b"stayed"
        for exchange in exchanges.values():
            exchange.finish()


def test_a_client_that_leaves_between_requests_is_no_failure(gateway: Gateway) -> None:
    lines = len(gateway.access_lines_so_far())
    target = own_target()
    with gateway.client() as client:
        assert client.get(target).status == 200
    assert gateway.access_entry(target)["status"] == 200
    assert len(gateway.access_lines_so_far()) == lines + 1
