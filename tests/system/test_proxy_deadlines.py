"""Every deadline, with settings so small that each test takes about a second."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.client import Answer, RawClient
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.wire import Ended

TIMEOUTS = {
    "head_s": 0.4,
    "body_s": 0.9,
    "client_idle_s": 0.7,
    "connect_s": 0.3,
    "response_s": 0.9,
    "upstream_idle_s": 0.5,
    "total_s": 2.5,
}
#: how much later than its deadline something may happen: coarse timers and busy cores
LATE_S = 1.5
#: pauses of a slow but steady peer: well below every deadline, and all together longer than each
PACE_S = 0.15
STEPS = 7
POST = b"POST / HTTP/1.1\r\nHost: script.test\r\nContent-Length: 10\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: script.test\r\n\r\n"


@pytest.fixture(scope="module")
def script_backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend() as script:
        yield script


@pytest.fixture
def script(script_backend: ScriptedBackend) -> ScriptedBackend:
    script_backend.forget()
    return script_backend


@pytest.fixture(scope="module")
def full_port() -> Iterator[int]:
    """A port whose queue is full, so that connecting to it hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):  # the kernel takes one or two more than it is told
            sock = socket.socket()
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
            waiting.append(sock)
        yield port
        for sock in waiting:
            sock.close()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, script_backend: ScriptedBackend, full_port: int
) -> Iterator[Gateway]:
    with EchoBackend() as echo:
        addresses = {"echo": echo.address, "script": script_backend.address, "full": f"127.0.0.1:{full_port}"}
        configuration = documents(addresses)
        own = dict(configuration["apis"][1], name="own", hosts=["own.test"], timeouts={"response_s": 0.2})
        configuration["apis"].append(own)
        folder = tmp_path_factory.mktemp("deadlines")
        with Gateway(folder, configuration, {"timeouts": TIMEOUTS, "limits": {"slowest_bytes_per_s": 1}}) as gateway:
            yield gateway


@contextmanager
def lasting(seconds: float) -> Iterator[None]:
    """Check that the block takes this long, and not much longer."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    assert seconds * 0.8 <= took <= seconds + LATE_S, f"{took:.2f} s instead of {seconds} s"


def steadily(pieces: list[bytes], send: Callable[[bytes], bool]) -> None:
    """Send the pieces one by one with a pause before each, until one is not taken."""
    pause = threading.Event()
    for piece in pieces:
        pause.wait(PACE_S)
        if not send(piece):
            return


def check_problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "beginning", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"], ids=repr
)
def test_an_unfinished_head(beginning: bytes, gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(beginning)
        with lasting(TIMEOUTS["head_s"]):
            check_problem(client.receive(), 408, "request_timeout")
        assert client.is_closed()


def test_a_head_that_trickles_in_gets_no_more_time(gateway: Gateway) -> None:
    with gateway.client() as client:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"x" * 60
        with lasting(TIMEOUTS["head_s"]):
            trickle = threading.Thread(target=steadily, args=([head[n : n + 6] for n in range(0, 84, 6)], client.send))
            trickle.start()
            check_problem(client.receive(), 408, "request_timeout")
        trickle.join()


def test_an_unfinished_second_head(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.get("/").status == 200
        client.send(b"GET / HT")
        with lasting(TIMEOUTS["head_s"]):
            check_problem(client.receive(), 408, "request_timeout")
        assert client.is_closed()


def test_a_connection_on_which_nothing_is_sent_is_closed_silently(gateway: Gateway) -> None:
    with gateway.client() as client, lasting(min(TIMEOUTS["head_s"], TIMEOUTS["client_idle_s"])):
        assert client.is_closed()


def test_an_idle_client(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.get("/").status == 200
        with lasting(TIMEOUTS["client_idle_s"]):
            assert client.is_closed()


def test_a_body_that_stops(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        with lasting(TIMEOUTS["body_s"]):
            client.send(POST + b"hello")
            exchange = script.next_exchange()
            check_problem(client.receive(), 408, "request_timeout")
        assert client.is_closed()
        assert next(exchange.body_pieces()) == b"hello"
        assert exchange.ends_within(LATE_S)
        exchange.finish()


def test_a_chunked_body_that_stops(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(Exchange.read_body)
    with gateway.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: script.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo")
        with lasting(TIMEOUTS["body_s"]):
            check_problem(client.receive(), 408, "request_timeout")
        assert client.is_closed()
    assert script.requests == []


def test_a_body_that_goes_on_slowly_is_fine(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(Exchange.read_body, Exchange.answer)
    with gateway.client() as client:
        client.send(POST)
        with lasting(STEPS * PACE_S):
            steadily([b"x"] * (STEPS - 1) + [b"x" * (11 - STEPS)], client.send)
            assert client.receive().status == 200


def test_a_server_that_takes_no_connection(gateway: Gateway) -> None:
    with gateway.client() as client, lasting(TIMEOUTS["connect_s"]):
        check_problem(client.get("/", "full.test"), 504, "upstream_timeout")


@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"],
    ids=["nothing", "half_a_head", "interim"],
)
def test_a_server_that_does_not_answer(beginning: bytes, gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        with lasting(TIMEOUTS["response_s"]):
            client.send(GET)
            exchange = script.next_exchange()
            exchange.send(beginning)
            check_problem(client.receive(), 504, "upstream_timeout")
        assert exchange.ends_within(LATE_S)
        exchange.finish()
        assert client.get("/after").status == 200


def test_an_api_has_its_own_deadline(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client, lasting(0.2):
        check_problem(client.get("/", "own.test"), 504, "upstream_timeout")
    script.next_exchange().finish()


def test_an_answer_that_stops(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        with lasting(TIMEOUTS["response_s"]):
            client.send(GET)
            exchange = script.next_exchange()
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            with pytest.raises(Ended):
                client.receive()
        assert exchange.ends_within(LATE_S)
        exchange.finish()


def test_an_answer_that_goes_on_slowly_is_fine(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        client.send(GET)
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % STEPS)
        with lasting(STEPS * PACE_S):
            steadily([b"x"] * STEPS, exchange.send)
            assert client.receive().body == b"x" * STEPS
        exchange.finish()


def test_an_idle_server_connection_is_closed(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        client.send(GET)
        exchange = script.next_exchange()
        exchange.answer()
        assert client.receive().status == 200
        with lasting(TIMEOUTS["upstream_idle_s"]):
            assert exchange.ends_within(TIMEOUTS["upstream_idle_s"] + LATE_S)
        exchange.finish()


def test_the_total_deadline_before_an_answer(gateway: Gateway, script: ScriptedBackend) -> None:
    """The request is uploaded slowly but steadily; no single deadline is missed, the total one is."""
    with gateway.client() as client:
        with lasting(TIMEOUTS["total_s"]):
            client.send(b"POST / HTTP/1.1\r\nHost: script.test\r\nContent-Length: 1000\r\n\r\n")
            exchange = script.next_exchange()
            uploader = threading.Thread(target=steadily, args=([b"x"] * 40, client.send), daemon=True)
            uploader.start()
            answer = client.receive()
            assert answer.status in (408, 504)
        assert not list(exchange.wire.until_end()) or exchange.gone
        exchange.finish()
        uploader.join()


def test_the_total_deadline_during_an_answer(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        with lasting(TIMEOUTS["total_s"]):
            client.send(GET)
            exchange = script.next_exchange()
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            sender = threading.Thread(target=steadily, args=([b"x"] * 40, exchange.send), daemon=True)
            sender.start()
            with pytest.raises((Ended, ConnectionError)):
                client.receive()
        sender.join()
        exchange.finish()


def test_a_client_that_does_not_read(gateway: Gateway, script: ScriptedBackend) -> None:
    with RawClient(gateway.address, receive_buffer=4096) as client:
        client.send(GET)
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        with lasting(TIMEOUTS["body_s"]):
            while exchange.send(b"x" * 1_000_000):  # False once the gateway has given up
                pass
        exchange.finish()
