"""How connections are spread over the workers: evenly, from the first moment on, also after a reload."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually

WORKERS = 8
EACH = 8
#: a worker takes no more once it has an eighth, and at least two, more than its share; some may come in between
MOST = EACH + 2 + 6
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path, {"apis": []}, {"gproxy": {"workers": WORKERS}, "log": {"access": "off"}}) as gateway:
        yield gateway


def connect(gateway: Gateway, stack: ExitStack) -> list[socket.socket]:
    """Open connections as fast as that goes, and have each answered once."""
    address = gateway.address
    assert not isinstance(address, str)
    clients = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(WORKERS * EACH)]
    for client in clients:
        client.sendall(GET)
    for client in clients:
        assert client.recv(4096).startswith(b"HTTP/1.1 404 ")
    return clients


def spread(gateway: Gateway) -> list[int]:
    """Return how many connections each worker has that accepts."""
    return sorted(worker["connections"] for worker in gateway.workers() if worker["state"] == "accepting")


def test_the_first_connections(gateway: Gateway) -> None:
    with ExitStack() as stack:
        connect(gateway, stack)
        eventually(lambda: sum(spread(gateway)) == WORKERS * EACH, about="all are counted")
        assert max(spread(gateway)) <= MOST, spread(gateway)


def test_clients_that_come_back_after_a_reload(gateway: Gateway) -> None:
    with ExitStack() as stack:
        before = gateway.worker_pids()
        clients = connect(gateway, stack)
        gateway.signal(signal.SIGHUP)
        for client in clients:
            client.settimeout(20)
            assert client.recv(1) == b"", "the old workers let go of it"
        connect(gateway, stack)
        eventually(lambda: sum(spread(gateway)) == WORKERS * EACH and not before & gateway.worker_pids())
        assert max(spread(gateway)) <= MOST, spread(gateway)
