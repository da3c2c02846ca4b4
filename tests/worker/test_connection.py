import gc
import socket
from collections.abc import Callable
from time import monotonic

import gevent
import gevent.event
import pytest
from greenlet import greenlet

from gproxy.shared import layout
from gproxy.worker import runtime
from gproxy.worker.link import hub
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


def echo_target(peer: Peer) -> None:
    """Answer each request with its method and target."""
    while head := peer.message()[0]:
        peer.send(response(b" ".join(head.split(b" ")[:2])))


def test_one_connection_carries_request_after_request(stage: Stage) -> None:
    with Backend(answers(response(b"1"), response(b"2"), response(b"3"))) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for number in (b"1", b"2", b"3"):
            client.send(GET)
            assert client.message()[1] == number
        assert stage.cell(layout.CONNECTIONS) == 1
        assert stage.requests() == 3
        client.close()
        eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    with Backend(echo_target) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        requests = [
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\n\r\nGET /never HTTP/1.1\r\nHost: b\r\n\r\n",
            b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        client.send(b"".join(requests) * 10)
        for number in range(40):
            assert client.message()[1] == (b"GET /1", b"POST /2", b"GET /3", b"GET /4")[number % 4]


def test_a_long_pipeline_leaves_the_others_their_turns(stage: Stage) -> None:
    """No server is asked for these answers, so nothing but the gateway itself lets the loop go on between them."""
    stage.use()
    greedy, count = stage.connect(), 500
    waiting, far = socket.socketpair()
    with waiting, far:
        far.send(b"x")
        turns: list[int] = []
        watcher = hub.loop.io(waiting.fileno(), 1)
        watcher.start(turns.append, 1)
        greedy.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" * count)
        before = len(turns)
        for _ in range(count):
            assert greedy.message()[0].startswith(b"HTTP/1.1 404")
        watcher.stop()
        watcher.close()
    assert len(turns) - before >= count // 32


def test_a_pipelined_request_behind_a_chunked_body(stage: Stage) -> None:
    def read_chunks(peer: Peer) -> None:
        while head := peer.head():
            body = peer.until(b"0\r\n\r\n") if b"chunked" in head else b""
            peer.send(response(head.split(b" ")[1] + body))

    with Backend(read_chunks) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab")
        client.send(b"c\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.message()[1].startswith(b"/1")
        assert client.message()[1] == b"/2"


def test_nothing_behind_a_request_that_closes_is_served(stage: Stage) -> None:
    with Backend(echo_target) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        head, body = client.message()
        assert body == b"GET /1"
        assert b"\r\nConnection: close\r\n" in head
        assert client.rest() == b""
        assert stage.requests() == 1


@pytest.mark.parametrize("step", [1, 2, 3, 7, 19])
def test_a_head_may_come_in_pieces(stage: Stage, step: int) -> None:
    with Backend(echo_target) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        wire = b"\r\n" + POST + GET
        for at in range(0, len(wire), step):
            client.send(wire[at : at + step])
            gevent.idle()  # the worker has read what was sent
        assert [client.message()[1], client.message()[1]] == [b"POST /", b"GET /"]


@pytest.mark.parametrize(
    ("line", "target", "host"),
    [
        (b"GET http://B:81/x?y HTTP/1.1", b"/x?y", b"B:81"),
        (b"GET http://b HTTP/1.1", b"/", b"b"),
        (b"OPTIONS * HTTP/1.1", b"*", b"a"),
        (b"GET //x HTTP/1.1", b"//x", b"a"),
    ],
)
def test_forms_of_targets(stage: Stage, line: bytes, target: bytes, host: bytes) -> None:
    heads = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.send(response())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(line + b"\r\nHost: a\r\n\r\n")
        status = client.head()[9:12]
        if target == b"*":  # no API has it
            assert (status, heads) == (b"404", [])
        else:
            assert status == b"200"
            assert heads[0].split(b" ")[1] == target
            assert b"\r\nHost: %b\r\n" % host in heads[0]


@pytest.mark.parametrize("wire", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_client_that_leaves_before_its_request_is_whole(stage: Stage, wire: bytes) -> None:
    client = stage.connect()
    client.send(wire)
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 1)
    client.close()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)
    assert stage.requests() == 0


@pytest.mark.parametrize("wire", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_client_that_resets(stage: Stage, wire: bytes) -> None:
    client = stage.connect()
    client.send(wire)
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 1)
    client.reset()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


@pytest.mark.parametrize("requests", [0, 1])
def test_idle_connections_end_in_silence(staged: Callable[..., Stage], requests: int) -> None:
    stage = staged(timeouts={"client_idle_s": 0.1, "head_s": 0.1})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(requests):
            client.send(GET)
            client.message()
        assert client.rest() == b""
        assert stage.requests() == requests


def test_each_phase_has_its_own_time(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"client_idle_s": 60, "head_s": 10})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        eventually(lambda: stage.runtime.clients)
        (served,) = stage.runtime.clients

        def left() -> float:
            return round(served.deadline - monotonic())

        assert left() == 10
        for _ in range(2):
            client.send(GET[:5])
            eventually(lambda: left() == 10)
            client.send(GET[5:])
            assert client.message()[1] == b"ok"
            eventually(lambda: left() == 60)


def test_idle_connections_of_a_draining_worker_end_soon(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "DRAIN_IDLE_S", 0.05)
    client = stage.connect()
    eventually(lambda: stage.runtime.clients)
    stage.runtime.drain()
    assert client.rest() == b""


def test_a_connection_that_was_promised_to_stay_ends_soon_after_a_drain_began_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "DRAIN_IDLE_S", 0.05)
    go_on = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        go_on.wait()
        peer.send(b"67890")

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        assert b"close" not in client.head()
        stage.runtime.drain()
        go_on.set()
        assert client.rest() == b"1234567890"


def test_a_request_that_comes_while_draining_is_served_and_told_to_close(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.message()
        stage.runtime.drain()
        client.send(GET)
        head, body = client.message()
        assert body == b"ok"
        assert b"\r\nConnection: close\r\n" in head
        assert client.rest() == b""


def test_http10(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, body = client.message()
        assert body == b"ok"
        assert b"\r\nConnection: keep-alive\r\n" in head
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in client.message()[0]
        assert client.rest() == b""


def test_idle_connections_own_no_greenlet(stage: Stage) -> None:
    def alive() -> int:
        return sum(issubclass(type(thing), greenlet) and not thing.dead for thing in gc.get_objects())

    stage.use()
    before, clients = alive(), [stage.connect() for _ in range(50)]
    for client in clients:
        client.send(GET)
        assert client.message()[0].startswith(b"HTTP/1.1 404 ")
    eventually(stage.is_quiet)
    assert stage.cell(layout.CONNECTIONS) == 50
    assert alive() - before < 5
