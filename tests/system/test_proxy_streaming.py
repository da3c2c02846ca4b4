"""Bodies in both directions: every byte right, passed on as they come, and never piling up in the gateway."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.harness import content
from tests.harness.backend import ScriptedBackend
from tests.harness.client import Answer, RawClient
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.waiting import settled

SIZES = [0, 1, 1_459, 65_535, 65_536, 65_537, 1_000_000, 5_000_003]
HOST = "script.test"
MB = 1_000_000
#: what socket buffers of the two connections may hold together: bytes that left the sender, but are not in a worker
SOCKET_BUFFERS = 24 * MB
#: the issue's bound for memory that grows with bodies
GROWTH = 20 * MB


def chunks(size: int, chunk_bytes: int) -> Iterator[bytes]:
    for piece in content.pieces(size, chunk_bytes):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def upload(client: RawClient, size: int, chunk_bytes: int = 0) -> Answer:
    """POST the body of `size` bytes, chunked when `chunk_bytes` is given, reading the answer only afterwards."""
    framing = "Transfer-Encoding: chunked" if chunk_bytes else f"Content-Length: {size}"
    client.send(f"POST /upload HTTP/1.1\r\nHost: gateway.test\r\n{framing}\r\n\r\n".encode())
    client.send(*(chunks(size, chunk_bytes) if chunk_bytes else content.pieces(size)))
    return client.receive()


def download(client: RawClient, path: str) -> Answer:
    client.send(f"GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode())
    return client.receive(keep=False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["bytes", "chunked", "until-close"])
def test_downloads_are_right(kind: str, size: int, gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = download(client, f"/{kind}/{size}")
        assert (answer.status, answer.size, answer.sha256) == (200, size, content.sha256(size))
        if kind == "bytes":
            assert answer.head.value("content-length") == str(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk_bytes", [0, 100, 65_536], ids=["length", "small_chunks", "large_chunks"])
def test_uploads_are_right(size: int, chunk_bytes: int, gateway: Gateway, echo: EchoBackend) -> None:
    if chunk_bytes == 100 and size > MB:
        size = 200_003  # the same paths, in less time
    with gateway.client() as client:
        told = upload(client, size, chunk_bytes).json()
        assert (told["size"], told["sha256"]) == (size, content.sha256(size))
        assert client.get("/after").status == 200


def carry_all(gateway: Gateway, clients: int, size: int) -> None:
    """Move `size` bytes up and down through each of `clients` connections at the same time."""

    def up(chunk_bytes: int) -> None:
        with gateway.client(60) as client:
            answer = upload(client, size, chunk_bytes)
            assert answer.status == 200, answer.body
            told = answer.json()
            assert (told["size"], told["sha256"]) == (size, content.sha256(size))

    def down(path: str) -> None:
        with gateway.client(60) as client:
            answer = download(client, path)
            assert (answer.size, answer.sha256) == (size, content.sha256(size))

    jobs: list[Callable[[], None]] = []
    for number in range(clients):
        jobs.append(partial(up, (0, 65_536)[number % 2]))
        jobs.append(partial(down, f"/{('bytes', 'until-close')[number % 2]}/{size}"))
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def check_memory(gateway: Gateway, work: Callable[[], None]) -> None:
    """Run `work` and see to it that the worker does not grow by more than the bound at any time."""
    before, most = gateway.rss(), 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, gateway.rss())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    assert most - before < GROWTH, f"{before} -> {most}"


def test_large_bodies_both_ways_at_a_time(gateway: Gateway) -> None:
    check_memory(gateway, lambda: carry_all(gateway, clients=4, size=20 * MB))


@pytest.mark.skipif("GPROXY_LARGE_TESTS" not in os.environ, reason="takes minutes; set GPROXY_LARGE_TESTS to run it")
@pytest.mark.timeout(900)
def test_very_large_bodies_both_ways_at_a_time(gateway: Gateway) -> None:
    check_memory(gateway, lambda: carry_all(gateway, clients=16, size=200 * MB))


def test_a_client_that_does_not_read_holds_the_server_back(gateway: Gateway, script: ScriptedBackend) -> None:
    total, sent = 200 * MB, 0

    def answer(exchange: Exchange) -> None:
        nonlocal sent
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for piece in content.pieces(total):
            if not exchange.send(piece):
                break
            sent += len(piece)

    script.play(answer)
    before = gateway.rss()
    with gateway.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        client.receive_head()
        assert settled(lambda: sent) < SOCKET_BUFFERS
        assert gateway.rss() - before < GROWTH
        with gateway.client() as other:
            assert other.get("/other").status == 200


def test_a_server_that_does_not_read_holds_the_client_back(gateway: Gateway, script: ScriptedBackend) -> None:
    total, sent = 200 * MB, 0

    def push(client: RawClient) -> None:
        nonlocal sent
        for piece in content.pieces(total):
            if not client.send(piece):
                break
            sent += len(piece)

    before = gateway.rss()
    with gateway.client(60) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {total}\r\n\r\n".encode())
        exchange = script.next_exchange()
        pusher = threading.Thread(target=push, args=(client,))
        pusher.start()
        assert settled(lambda: sent) < SOCKET_BUFFERS
        assert gateway.rss() - before < GROWTH
        with gateway.client() as other:
            assert other.get("/other").status == 200
        exchange.reset()
        exchange.finish()
        assert client.receive().status == 502
        pusher.join()


def test_a_client_that_asks_without_reading_holds_itself_back(gateway: Gateway) -> None:
    sent = 0
    request = b"GET /bytes/1000 HTTP/1.1\r\nHost: gateway.test\r\n\r\n" * 1000
    before = gateway.rss()
    with gateway.client() as client:

        def push() -> None:
            nonlocal sent
            while client.send(request):
                sent += len(request)

        pusher = threading.Thread(target=push)
        pusher.start()
        assert settled(lambda: sent) < SOCKET_BUFFERS
        assert gateway.rss() - before < GROWTH
        client.sock.shutdown(socket.SHUT_RDWR)
        pusher.join()


def test_pieces_of_an_answer_are_passed_on_at_once(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        client.send(f"GET /events HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        status, head = client.receive_head()
        pieces = client.body_pieces(status, head)
        for event in (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"):
            exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
            assert next(pieces) == event
        exchange.send(b"0\r\n\r\n")
        assert next(pieces, None) is None
        exchange.finish()


def test_pieces_of_a_request_are_passed_on_at_once(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        client.send(f"POST /events HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        exchange = script.next_exchange()
        pieces = exchange.body_pieces()
        for event in (b"first", b"second", b"third"):
            client.send(b"%x\r\n%b\r\n" % (len(event), event))
            assert next(pieces) == event
        client.send(b"0\r\n\r\n")
        assert next(pieces, None) is None
        exchange.answer(b"all")
        assert client.receive().body == b"all"
        exchange.finish()


def test_request_and_answer_flow_at_the_same_time(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        client.send(f"POST /talk HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        status, head = client.receive_head()
        asked, told = exchange.body_pieces(), client.body_pieces(status, head)
        for word in (b"one", b"two", b"three"):
            chunk = b"%x\r\n%b\r\n" % (len(word), word)
            client.send(chunk)
            assert next(asked) == word
            exchange.send(chunk)
            assert next(told) == word
        client.send(b"0\r\n\r\n")
        assert next(asked, None) is None
        exchange.send(b"0\r\n\r\n")
        assert next(told, None) is None
        exchange.finish()
        script.default = [lambda later: later.answer(b"later")]
        assert client.get("/later", HOST).body == b"later"


@pytest.mark.parametrize("then", [Exchange.close, Exchange.wait_gone], ids=["closes", "stops_reading"])
def test_an_answer_before_the_body_was_read_reaches_the_client(
    then: Callable[[Exchange], None], gateway: Gateway, script: ScriptedBackend
) -> None:
    refusal = b"HTTP/1.1 413 Too Much\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much"
    script.play(refusal, then)
    size = 50 * MB
    with gateway.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n".encode())
        pusher = threading.Thread(target=client.send, args=(content.body(100_000), *content.pieces(size - 100_000)))
        pusher.start()
        answer = client.receive()
        assert (answer.status, answer.body) == (413, b"too much")
        client.rest()  # the rest of the body must not be read as a request, so the connection ends
        pusher.join()
    assert script.requests == []


def test_after_an_early_answer_no_connection_is_used_with_half_a_body(
    gateway: Gateway, script: ScriptedBackend
) -> None:
    with gateway.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\nhello".encode())
        exchange = script.next_exchange()
        assert next(exchange.body_pieces()) == b"hello"
        exchange.answer(b"early")
        answer = client.receive()
        assert answer.body == b"early"
        if answer.head.value("connection") == "close":
            assert exchange.ends_within(5)
            assert client.is_closed()
        else:
            client.send(b"world")
            assert next(exchange.body_pieces()) == b"world"
        exchange.finish()
    script.default = [lambda later: later.answer(b"later")]
    with gateway.client() as client:
        assert client.get("/later", HOST).body == b"later"
