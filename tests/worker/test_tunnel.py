"""Tunnels between a client and a server that has switched protocols."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, eventually, response, settled
from tests.worker.stage import Stage, in_loop

WISH = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
ASK = b"GET /chat HTTP/1.1\r\nHost: a\r\n%b\r\n" % WISH
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"
)


def switching(then: Callable[[Peer], Any], more: bytes = b"") -> Callable[[Peer], None]:
    """Return a script that switches and goes on with `then`."""

    def script(peer: Peer) -> None:
        head = peer.head()
        assert head.count(b"Connection: Upgrade\r\nUpgrade: websocket\r\n") == 1
        assert b"Sec-WebSocket-Key: x\r\n" in head
        peer.send(SWITCH + more)
        then(peer)

    return script


def echo(peer: Peer) -> None:
    while data := peer.sock.recv(65536):
        peer.send(data)


def opened(stage: Stage, backend: Backend, **upgrade: Any) -> Peer:
    """Open a tunnel and read the head of its answer."""
    stage.proxy_to(backend, upgrade=upgrade, response_headers={"set": {"X-Edge": "1"}})
    client = stage.connect()
    client.send(ASK)
    head = client.head()
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    for line in (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: y", b"X-Edge: 1"):
        assert head.count(line + b"\r\n") == 1
    return client


def gauge(stage: Stage) -> int:
    """Return how many tunnels are open."""
    assert stage.runtime.snapshot is not None
    row = stage.runtime.snapshot.router.find(b"a", b"GET", b"/").target.row  # type: ignore[union-attr]
    return stage.runtime.cells[stage.runtime.row_cell(row, layout.ROW_TUNNELS)]


@pytest.mark.parametrize("size", [1, 1000, 3_000_000])
def test_bytes_go_both_ways(stage: Stage, size: int) -> None:
    with Backend(switching(echo)) as backend:
        client = opened(stage, backend)
        assert (gauge(stage), stage.cell(layout.TUNNELS), stage.cell(layout.ACTIVE)) == (1, 1, 1)
        for _ in range(3):
            message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            sending = gevent.spawn(client.send, message)
            assert client.exactly(size) == message
            sending.join()
        client.close()
        eventually(stage.is_quiet)
        assert (gauge(stage), stage.cell(layout.STATUS_1XX)) == (0, 1)
        assert not stage.runtime.tunnels
        assert stage.cell(layout.BYTES_IN) == size * 3


def test_what_came_with_the_heads_is_part_of_it(stage: Stage) -> None:
    with Backend(switching(echo, b"hello")) as backend:
        stage.proxy_to(backend, upgrade={})
        client = stage.connect()
        client.send(ASK + b"early")
        client.head()
        assert sorted((client.exactly(5), client.exactly(5))) == [b"early", b"hello"]


def test_an_end_that_has_said_all_may_still_listen(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        heard = peer.rest()
        peer.send(b"heard " + heard)

    with Backend(switching(script)) as backend:
        client = opened(stage, backend)
        client.send(b"all")
        client.end()
        assert client.rest() == b"heard all"
        eventually(stage.is_quiet)


def test_a_server_that_breaks_off_is_seen_to(stage: Stage) -> None:
    go_on = Event()
    with Backend(switching(lambda peer: (go_on.wait(), peer.reset()))) as backend:
        client = opened(stage, backend)
        go_on.set()
        with pytest.raises(ConnectionResetError):
            client.rest()
        eventually(stage.is_quiet)


def test_a_client_that_breaks_off_ends_it(stage: Stage) -> None:
    ended = Event()
    with Backend(switching(lambda peer: (peer.rest(), ended.set()))) as backend:
        opened(stage, backend).reset()
        assert ended.wait(10)
        eventually(stage.is_quiet)


def test_what_one_end_does_not_take_is_not_read_from_the_other(stage: Stage) -> None:
    sent = [0]
    go_on = Event()

    def flood(peer: Peer) -> None:
        for _ in range(400):
            peer.send(b"x" * 65536)
            sent[0] += 65536

    with Backend(switching(lambda peer: (go_on.wait(), flood(peer), peer.close()))) as backend:
        client = opened(stage, backend)
        go_on.set()
        settled(lambda: sent[0])
        assert sent[0] < 20_000_000
        assert len(client.rest()) == 400 * 65536
        client.close()
        eventually(stage.is_quiet)


@pytest.mark.parametrize(("limits", "reason"), [({"idle_s": 0.2}, "idle"), ({"total_s": 0.3, "idle_s": 0}, "total")])
def test_it_ends_when_its_time_is_over(stage: Stage, limits: dict[str, float], reason: str) -> None:
    with Backend(switching(echo)) as backend:
        client = opened(stage, backend, **limits)
        client.send(b"x")
        assert client.exactly(1) == b"x"
        assert client.rest() == b""
        eventually(stage.is_quiet)


def test_it_ends_when_its_worker_leaves(stage: Stage) -> None:
    with Backend(switching(echo)) as backend:
        client = opened(stage, backend, drain_s=0.1)
        in_loop(stage.runtime.drain)
        client.send(b"x")
        assert client.exactly(1) == b"x"
        assert client.rest() == b""


def test_a_server_may_say_no(stage: Stage) -> None:
    with Backend(answers(response(b"no"))) as backend:
        stage.proxy_to(backend, upgrade={})
        client = stage.connect()
        client.send(ASK)
        assert client.message()[1] == b"no"
        assert stage.cell(layout.TUNNELS) == 0


@pytest.mark.parametrize(
    ("api", "answer"),
    [
        ({}, SWITCH),
        ({"upgrade": {}}, SWITCH.replace(b"websocket", b"h2c")),
        ({"upgrade": {}}, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    ],
)
def test_a_server_that_switches_unasked_is_broken(stage: Stage, api: dict[str, Any], answer: bytes) -> None:
    with Backend(answers(answer)) as backend:
        stage.proxy_to(backend, **api)
        client = stage.connect()
        client.send(ASK)
        assert client.message()[0].startswith(b"HTTP/1.1 502 ")


def test_a_tunnel_is_a_success_at_once(stage: Stage) -> None:
    with Backend(switching(echo)) as backend:
        stage.table.cells[layout.ROWS_USED] = 8
        breaker = {"consecutive_failures": 1, "open_s": 0.05, "half_open_successes": 1, "half_open_percent": 100}
        server = {"name": "s", "address": backend.address, "circuit_breaker": breaker}
        api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}], "upgrade": {}}
        stage.use([server], [{"name": "c", "servers": ["s"]}], [api])
        client = stage.connect()
        client.send(ASK)
        client.head()
        eventually(lambda: stage.cell(layout.TUNNELS) == 1)
        client.send(b"x")
        assert client.exactly(1) == b"x"
