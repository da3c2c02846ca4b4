"""The golden answers of servers: what is wrong becomes 502 or visibly broken, and never leaks into the next answer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.backend import ScriptedBackend, Step
from tests.harness.client import Answer, RawClient
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.golden import GoldenAnswer, read_answers, unescape
from tests.harness.waiting import eventually
from tests.harness.wire import Malformed

ANSWERS = read_answers(Path(__file__).parents[1] / "responses")
HOST = "script.test"


def play(golden: GoldenAnswer, script: ScriptedBackend) -> None:
    ends: dict[str, tuple[Step, ...]] = {
        "close": (Exchange.close,),
        "reset": (Exchange.reset,),
        "end": (Exchange.end, Exchange.wait_gone),
        "stay": (),
    }
    script.play(golden.raw, *ends[golden.then])
    script.default = [lambda exchange: exchange.answer(b"after")]


def is_bad_upstream(answer: Answer) -> bool:
    if answer.status != 502:
        return False
    assert answer.head.value("content-type") == "application/problem+json"
    return bool(answer.json()["code"] == "bad_upstream")


def ask(client: RawClient, method: str, target: str) -> Answer | None:
    """Return the answer, None when the client can tell that it is not whole."""
    client.send(f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    try:
        return client.receive(method)
    except (Malformed, ConnectionError):
        return None


@pytest.mark.parametrize("golden", ANSWERS, ids=lambda golden: golden.name)
def test_answers(golden: GoldenAnswer, gateway: Gateway, script: ScriptedBackend) -> None:
    play(golden, script)
    with gateway.client() as client:
        answer = ask(client, golden.method, "/first")
        if golden.outcome == "passed":
            assert answer is not None
            assert (answer.status, answer.body) == (golden.status, unescape(golden.body))
        elif golden.outcome == "502":
            assert answer is not None
            assert is_bad_upstream(answer), answer
        else:
            assert golden.outcome == "failed"
            assert answer is None or is_bad_upstream(answer), answer
        if answer is not None and answer.head.value("connection") is None:
            assert client.get("/same-connection", HOST).body == b"after"
    with gateway.client() as client:
        assert client.get("/next", HOST).body == b"after"
    assert [request.target for request in script.requests].count("/first") == 1


@pytest.mark.parametrize("end", [Exchange.close, Exchange.reset], ids=["close", "reset"])
def test_http10_clients_see_that_a_chunked_answer_is_not_whole(
    end: Step, gateway: Gateway, script: ScriptedBackend
) -> None:
    """To them the end of the connection is the end of the body, so only a reset can tell."""
    script.play(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", end)
    with gateway.client() as client:
        client.send(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        with suppress(Malformed, ConnectionError):
            assert client.receive().status == 502


def test_a_connection_with_one_answer_too_many_is_given_up(gateway: Gateway, script: ScriptedBackend) -> None:
    """On a new connection early bytes cannot be told from a fast answer. But then the real answer is one too many."""
    script.on_connect = lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
    script.default = [Exchange.answer]
    before = script.connections
    with gateway.client() as client:
        for number in range(1, 6):
            answer = client.get("/", HOST)
            assert is_bad_upstream(answer) or answer.body == b"early"
            eventually(lambda: script.open_connections() == 0, about="the gateway closes the connection")
            assert script.connections == before + number


def test_bytes_on_an_idle_connection_are_never_an_answer(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        client.send(f"GET /first HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.answer(b"first")
        assert client.receive().body == b"first"
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
        exchange.wait_gone()
        exchange.finish()
        script.default = [lambda exchange: exchange.answer(b"second")]
        assert client.get("/second", HOST).body == b"second"


def test_bytes_that_come_together_with_the_next_request_are_not_its_answer(
    gateway: Gateway, script: ScriptedBackend
) -> None:
    """The gateway finds both at the same time; it must not send the request where an answer already lies."""
    with gateway.client() as client:
        client.send(f"GET /first HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.answer(b"first")
        assert client.receive().body == b"first"
        script.default = [lambda exchange: exchange.answer(b"second")]
        with gateway.frozen():
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
            client.send(f"GET /second HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert client.receive().body == b"second"
        exchange.finish()
