"""What a message means on its way: HEAD, 204, 304, interim answers, HTTP/1.0, persistence, order, trailers."""

from __future__ import annotations

import pytest

from tests.harness import content
from tests.harness.backend import ScriptedBackend
from tests.harness.client import RawClient
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway

HOST = "script.test"


def ask(client: RawClient, line: str, headers: str = "", host: str = "gateway.test") -> None:
    client.send(f"{line}\r\nHost: {host}\r\n{headers}\r\n".encode())


def test_head_tells_what_get_would(gateway: Gateway) -> None:
    with gateway.client() as client:
        ask(client, "HEAD /bytes/12345 HTTP/1.1")
        answer = client.receive("HEAD")
        assert (answer.status, answer.head.value("content-length")) == (200, "12345")
        ask(client, "HEAD /chunked/12345 HTTP/1.1")
        answer = client.receive("HEAD")
        assert (answer.status, answer.head.value("content-length")) == (200, None)
        assert client.get("/bytes/3").body == content.body(3)


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_body_keep_the_connection(status: int, gateway: Gateway) -> None:
    with gateway.client() as client:
        for _ in range(2):
            answer = client.get(f"/status/{status}")
            assert answer.status == status
            assert answer.head.value("etag") == '"1"'
            assert answer.head.value("transfer-encoding") is None
        assert answer.head.value("content-length") is None
        assert client.get("/bytes/3").body == content.body(3)


@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 429, 500, 502, 503, 599])
def test_a_servers_own_status_passes(status: int, gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get(f"/status/{status}")
        assert (answer.status, answer.body) == (status, b"status %d" % status)
        assert answer.head.start == b"HTTP/1.1 %d Chosen" % status


def test_early_hints_pass(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get("/early-hints")
        assert answer.body == b"hinted"
        assert [(status, head.value("link")) for status, head in answer.interim] == [(103, "</a.css>; rel=preload")]


def test_early_hints_pass_before_the_answer_is_there(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        ask(client, "GET / HTTP/1.1", host=HOST)
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        status, head = client.receive_head()
        assert (status, head.value("link")) == (103, "</a>")
        exchange.answer(b"final")
        assert client.receive().body == b"final"
        exchange.finish()


def test_http10_clients_get_no_interim_answer(gateway: Gateway) -> None:
    with gateway.client() as client:
        ask(client, "GET /early-hints HTTP/1.0")
        answer = client.receive()
        assert (answer.body, answer.interim) == (b"hinted", ())
        assert client.is_closed()


@pytest.mark.parametrize("kind", ["chunked", "until-close"])
def test_http10_clients_get_no_chunks(kind: str, gateway: Gateway) -> None:
    with gateway.client() as client:
        ask(client, f"GET /{kind}/100000 HTTP/1.0", "Connection: keep-alive\r\n")
        answer = client.receive()
        assert answer.head.value("transfer-encoding") is None
        assert answer.sha256 == content.sha256(100_000)
        assert client.is_closed()


def test_http10_clients_may_keep_the_connection(gateway: Gateway) -> None:
    with gateway.client() as client:
        for number in (1, 20_000):
            ask(client, f"GET /bytes/{number} HTTP/1.0", "Connection: keep-alive\r\n")
            answer = client.receive()
            assert answer.sha256 == content.sha256(number)
            assert (answer.head.value("connection") or "").lower() == "keep-alive"
        ask(client, "GET /bytes/5 HTTP/1.0")
        assert client.receive().body == content.body(5)
        assert client.is_closed()


def test_a_closing_server_does_not_close_the_client(gateway: Gateway) -> None:
    with gateway.client() as client:
        for _ in range(3):
            answer = client.get("/close")
            assert (answer.body, answer.head.value("connection")) == (b"closing", None)


def test_an_answer_that_ends_with_the_connection_ends_visibly(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get("/until-close/70000")
        assert answer.sha256 == content.sha256(70_000)
        if answer.head.value("transfer-encoding"):
            assert client.get("/after").status == 200
        else:
            assert answer.head.value("connection") == "close"


def test_connection_close_is_answered_in_kind(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get("/", headers="Connection: close\r\n")
        assert answer.head.value("connection") == "close"
        assert client.is_closed()


def test_one_connection_serves_many_requests(gateway: Gateway, echo: EchoBackend) -> None:
    with gateway.client() as client:
        told = [client.get(f"/{number}").json() for number in range(50)]
        assert [one["target"] for one in told] == [f"/{number}" for number in range(50)]
        assert len({one["connection"] for one in told}) <= 2


def test_pipelined_answers_keep_their_order(gateway: Gateway, script: ScriptedBackend, echo: EchoBackend) -> None:
    with gateway.client() as client:
        ask(client, "GET /slow HTTP/1.1", host=HOST)
        ask(client, "GET /fast HTTP/1.1")
        ask(client, "GET /last HTTP/1.1", host=HOST)
        exchange = script.next_exchange()
        assert exchange.target == "/slow"
        assert echo.requests == []  # one at a time: the second waits for the first
        exchange.answer(b"slow")
        exchange.finish()
        assert client.receive().body == b"slow"
        assert client.receive().json()["target"] == "/fast"
        last = script.next_exchange()
        last.answer(b"last")
        assert client.receive().body == b"last"
        last.finish()


def test_only_announced_trailers_pass(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get("/trailers", headers="TE: trailers\r\nConnection: TE\r\n")
        assert answer.body == b"hello"
        assert answer.trailers == ((b"X-Sum", b"42"),)
        assert (answer.head.value("trailer") or "").lower() == "x-sum"


def test_fields_of_an_answer_pass_in_order_and_hop_by_hop_ones_end(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(
        b"HTTP/1.1 200 OK\r\nServer: mine\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nSet-Cookie: a=1\r\nX-Empty:\r\n"
        b"Set-Cookie: b=2\r\nConnection: X-Private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=20\r\n"
        b"Proxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok"
    )
    with gateway.client() as client:
        head = client.get("/", HOST).head
    assert (head.value("server"), head.value("x-empty")) == ("mine", "")
    assert head.value("date") == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert head.values("set-cookie") == ["a=1", "b=2"]
    assert not head.names() & {"x-private", "keep-alive", "proxy-connection", "upgrade"}


def test_a_request_without_body_to_a_server_that_answers_slowly_byte_by_byte(
    gateway: Gateway, script: ScriptedBackend
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    script.play(lambda exchange: exchange.send_apart([answer[n : n + 1] for n in range(len(answer))]))
    with gateway.client() as client:
        assert client.get("/", HOST).body == b"hello"


def test_continue_is_asked_of_the_server(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        ask(client, "POST / HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n", HOST)
        exchange = script.next_exchange()
        assert exchange.head.value("expect") == "100-continue"
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.receive_head()[0] == 100
        client.send(b"hello")
        exchange.read_body()
        exchange.answer(b"thanks")
        answer = client.receive()
        assert (answer.status, answer.body, answer.interim) == (200, b"thanks", ())
        exchange.finish()
        assert script.requests[0].body == b"hello"


def test_a_client_that_does_not_wait_for_continue_is_served(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(Exchange.read_body, lambda exchange: exchange.answer(b"thanks"))
    with gateway.client() as client:
        ask(client, "POST / HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n", HOST)
        client.send(b"hello")
        answer = client.receive()
        assert (answer.status, answer.body) == (200, b"thanks")
        assert all(status == 100 for status, _ in answer.interim)
        assert len(answer.interim) <= 1


def test_a_refusal_instead_of_continue_reaches_the_client(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    with gateway.client() as client:
        ask(client, "POST / HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n", HOST)
        answer = client.receive()
        assert (answer.status, answer.body, answer.interim) == (403, b"no", ())
    assert script.requests == []


def test_head_and_body_in_different_packets_need_no_continue(gateway: Gateway, echo: EchoBackend) -> None:
    with gateway.client() as client:
        client.send_apart([b"POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\n\r\n", b"he", b"llo"])
        answer = client.receive()
        assert answer.json()["size"] == 5
        assert answer.interim == ()
