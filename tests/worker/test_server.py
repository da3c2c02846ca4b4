import errno
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gproxy.entrances import Entrance
from gproxy.shared import layout
from gproxy.worker.server import Acceptor
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage, in_loop
from tests.worker.test_peers import accept

PLAIN = Entrance("[gproxy] bind", "127.0.0.1:0")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_clients_are_counted_and_known_by_their_address(stage: Stage) -> None:
    stage.connect()
    stage.connect()
    eventually(lambda: len(stage.runtime.clients) == 2)
    assert (stage.cell(layout.CONNECTIONS), stage.cell(layout.ACCEPTED)) == (2, 2)
    assert {client.origin.ip for client in stage.runtime.clients} == {b"127.0.0.1"}


@pytest.mark.parametrize(("address", "ip"), [("unix", b"unknown"), ("::1", b"::1")])
def test_other_kinds_of_listeners(stage: Stage, tmp_path: Path, address: str, ip: bytes) -> None:
    family = socket.AF_UNIX if address == "unix" else socket.AF_INET6
    listener = socket.socket(family)
    listener.bind(str(tmp_path / "s") if address == "unix" else (address, 0))
    listener.listen()
    listener.setblocking(False)
    acceptor = Acceptor(listener, stage.runtime, PLAIN)
    client = socket.socket(family)
    client.connect(listener.getsockname())
    eventually(lambda: stage.runtime.clients)
    assert [served.origin.ip for served in stage.runtime.clients] == [ip]
    client.close()
    in_loop(acceptor.stop)


def test_many_connections_at_once(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        clients = [stage.connect() for _ in range(100)]
        for client in clients:
            client.send(GET)
        assert all(client.message()[1] == b"ok" for client in clients)


def test_one_connection_too_many_is_turned_away(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"connections": 2})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        first, second = stage.connect(), stage.connect()
        eventually(lambda: stage.cell(layout.CONNECTIONS) == 2)
        third = stage.connect()
        head, body = third.message()
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nRetry-After: 1\r\n" in head
        assert b"\r\nConnection: close\r\n" in head
        assert json.loads(body)["code"] == "overloaded"
        assert third.rest() == b""
        third.close()
        assert stage.cell(layout.REFUSED_CONNECTIONS) == 1
        first.close()
        eventually(lambda: stage.cell(layout.CONNECTIONS) == 1)
        for client in (second, stage.connect()):
            client.send(GET)
            assert client.message()[1] == b"ok"


def test_who_is_turned_away_may_have_sent_its_request(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"connections": 1})
    stage.connect()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 1)
    client = stage.connect()
    client.send(GET * 100)
    assert client.message()[0].startswith(b"HTTP/1.1 503 ")
    assert client.rest() == b""


def peers_of(stage: Stage, others: list[int]) -> None:
    """Let other workers accept with so many connections."""
    accept(stage.table, [stage.cell(layout.CONNECTIONS), *others])
    stage.runtime.peers.look()


def test_a_worker_with_more_than_its_share_takes_what_nobody_else_takes(stage: Stage) -> None:
    for _ in range(20):
        stage.exchange()
    peers_of(stage, [0])
    assert stage.runtime.peers.have_fewer(20)
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        for client in [stage.connect() for _ in range(5)]:
            client.send(GET)
            assert client.message()[1] == b"ok"


class Scarce(socket.socket):
    """A listener that lacks descriptors at first, or meets clients that have left."""

    failures: list[OSError]

    def accept(self) -> Any:
        if self.failures:
            raise self.failures.pop()
        return super().accept()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOBUFS, errno.ECONNABORTED])
def test_what_cannot_be_accepted_now_is_accepted_later(stage: Stage, number: int) -> None:
    listener = Scarce(socket.AF_INET)
    listener.failures = [OSError(number, "scarce")] * 2
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    acceptor = Acceptor(listener, stage.runtime, PLAIN)
    client = Peer.connect(listener.getsockname())
    eventually(lambda: stage.runtime.clients)
    client.close()
    in_loop(acceptor.stop)


def test_an_acceptor_that_stops_takes_what_waits(stage: Stage) -> None:
    clients = [stage.connect() for _ in range(5)]
    address = stage.listener.getsockname()
    in_loop(stage.acceptor.stop)
    assert stage.cell(layout.ACCEPTED) == 5
    with pytest.raises(ConnectionRefusedError):
        Peer.connect(address)
    clients[0].send(GET)
    assert clients[0].message()[0].startswith(b"HTTP/1.1 503 ")
