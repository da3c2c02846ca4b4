"""WebSocket with the client and the server of a library, and server-sent events, through a running gateway."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from tests.harness.backend import ScriptedBackend
from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually


def echo(connection: ServerConnection) -> None:
    """Return every message; "bye" closes with a code of its own."""
    for message in connection:
        if message == "bye":
            connection.close(4001, "as you wish")
            return
        connection.send(message)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve(echo, "127.0.0.1", 0, max_size=None) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        host, port = running.socket.getsockname()
        yield f"{host}:{port}"
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def events() -> Iterator[ScriptedBackend]:
    with ScriptedBackend() as backend:
        yield backend


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, server: str, events: ScriptedBackend) -> Iterator[Gateway]:
    documents = {
        "servers": [{"name": "ws", "address": server}, {"name": "events", "address": events.address}],
        "clusters": [{"name": name, "servers": [name]} for name in ("ws", "events")],
        "apis": [
            {"name": "chat", "path": "/chat", "nodes": [{"cluster": "ws"}], "upgrade": {"drain_s": 0.2}},
            {"name": "closed", "path": "/closed", "nodes": [{"cluster": "ws"}]},
            {"name": "events", "path": "/events", "nodes": [{"cluster": "events"}], "timeouts": {"response_s": 0}},
        ],
    }
    settings = {"timeouts": {"response_s": 0.5, "body_s": 0.5}}
    with Gateway(tmp_path_factory.mktemp("tunnels"), documents, settings) as running:
        yield running


def dial(gateway: Gateway, path: str = "/chat") -> ClientConnection:
    host, port = gateway.address
    return connect(f"ws://{host}:{port}{path}", max_size=None, compression=None, open_timeout=20)


def figures(gateway: Gateway, name: str) -> dict[str, Any]:
    found = eventually(lambda: [api for api in gateway.stats()["apis"] if api["name"] == name])
    return dict(found[0])


def test_messages_go_both_ways(gateway: Gateway) -> None:
    with dial(gateway) as client:
        eventually(lambda: figures(gateway, "chat")["tunnels"] == 1, about="the tunnel is counted")
        for message in ("hello", "", b"\x00\xff" * 40_000, "é" * 1_000_000):
            client.send(message)
            assert client.recv(20) == message
        assert client.ping().wait(20)
    eventually(lambda: figures(gateway, "chat")["tunnels"] == 0, about="the tunnel has ended")
    entry = gateway.access_entry("/chat")
    assert (entry["status"], entry["api"], entry["reason"]) == (101, "chat", "closed")
    assert entry["bytes_in"] > 2_000_000
    assert entry["bytes_out"] > 2_000_000


def test_a_server_closes_with_its_code(gateway: Gateway) -> None:
    with dial(gateway) as client:
        client.send("bye")
        with pytest.raises(ConnectionClosed):
            client.recv(20)
        assert (client.close_code, client.close_reason) == (4001, "as you wish")


def test_many_at_a_time(gateway: Gateway) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(dial(gateway)) for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(str(number))
        assert [client.recv(20) for client in clients] == [str(number) for number in range(50)]
    eventually(lambda: figures(gateway, "chat")["tunnels"] == 0, about="all tunnels have ended")


def test_an_api_that_does_not_allow_it(gateway: Gateway) -> None:
    with pytest.raises(InvalidStatus) as caught:
        dial(gateway, "/closed")
    assert caught.value.response.status_code in (400, 426)


def test_a_tunnel_ends_with_its_worker(gateway: Gateway) -> None:
    with dial(gateway) as client:
        client.send("x")
        assert client.recv(20) == "x"
        gateway.signal(signal.SIGHUP)
        with pytest.raises(ConnectionClosed):
            client.recv(30)
    with dial(gateway) as client:
        client.send("y")
        assert client.recv(20) == "y"


def test_events_are_passed_on_as_they_come(gateway: Gateway, events: ScriptedBackend) -> None:
    with gateway.client(20) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        exchange = events.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        received = b""
        for number in range(3):
            event = b"data: %d\n\n" % number
            exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
            while event not in received:
                received += client.sock.recv(65536)
        threading.Event().wait(1.2)  # longer than the other time limits: the point is that nothing happens
        exchange.send(b"0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += client.sock.recv(65536)
        exchange.finish()
