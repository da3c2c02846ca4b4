"""Clients that go on, but too slowly: each limit ends them in time and says so."""

import socket
import time
from collections.abc import Callable

import gevent
import gevent.socket
import pytest

from gproxy.core.breaker import State
from gproxy.shared import layout
from gproxy.shared.circuits import read
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#: each piece comes well before the longest wait is over
PIECE_S, LONGEST_S = 0.02, 0.3


def dribble(peer: Peer, piece: bytes, until: Callable[[], object]) -> None:
    """Send the piece again and again until it is over."""
    end_s = time.monotonic() + 10
    while not until() and time.monotonic() < end_s:
        try:
            peer.send(piece)
        except OSError:
            return
        gevent.sleep(PIECE_S)


@pytest.mark.parametrize(("head", "piece"), [(HEAD, b"x"), (CHUNKED, b"1\r\nx\r\n")])
def test_a_body_that_dribbles(staged: Callable[..., Stage], head: bytes, piece: bytes) -> None:
    stage = staged(timeouts={"body_s": LONGEST_S}, limits={"slowest_bytes_per_s": 10_000})

    def server(peer: Peer) -> None:
        peer.head()
        peer.rest()

    with Backend(server) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        peer.send(head)
        dribble(peer, piece, lambda: stage.cell(layout.SLOW_BODIES))
        assert peer.head().startswith(b"HTTP/1.1 408 ")
    assert (stage.cell(layout.SLOW_BODIES), stage.cell(layout.SLOW_HEADS)) == (1, 0)


def test_a_body_that_is_slow_but_fast_enough(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": LONGEST_S}, limits={"slowest_bytes_per_s": 100})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        peer.send(HEAD)
        for _ in range(50):
            peer.send(b"x" * 20)
            gevent.sleep(PIECE_S)
        assert peer.message()[1] == b"ok"


def test_a_head_that_dribbles(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"head_s": LONGEST_S})
    peer = stage.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    dribble(peer, b"x", lambda: stage.cell(layout.SLOW_HEADS))
    assert peer.head().startswith(b"HTTP/1.1 408 ")
    assert stage.cell(layout.SLOW_HEADS) == 1


def sip(peer: Peer, size: int, until: Callable[[], object]) -> None:
    """Read a little again and again until it is over."""
    end_s = time.monotonic() + 10
    while not until() and time.monotonic() < end_s:
        try:
            if not peer.sock.recv(size):
                return
        except OSError:
            return
        gevent.sleep(PIECE_S)


def test_an_answer_that_is_sipped(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": LONGEST_S}, limits={"slowest_bytes_per_s": 100_000_000})
    with Backend(answers(response(b"x" * 20_000_000))) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sip(peer, 4096, lambda: stage.cell(layout.SLOW_READERS))
        assert stage.cell(layout.SLOW_READERS) == 1
        eventually(lambda: not stage.runtime.clients)


def test_who_reads_nothing_for_too_long(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": LONGEST_S})
    with Backend(answers(response(b"x" * 20_000_000))) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: stage.cell(layout.SLOW_READERS))
        eventually(lambda: not stage.runtime.clients)


@pytest.mark.parametrize(
    ("request_", "limits", "counter"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2000 + b"\r\n\r\n", {"head_bytes": 1000}, layout.LARGE_HEADS),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20 + b"\r\n", {"head_fields": 10}, layout.LARGE_HEADS),
        (b"GET /" + b"x" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {"target_bytes": 100}, layout.LARGE_HEADS),
        (HEAD, {"body_bytes": 999}, layout.LARGE_BODIES),
        (CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n", {"body_bytes": 999}, layout.LARGE_BODIES),
    ],
)
def test_large_ones_are_counted(
    staged: Callable[..., Stage], request_: bytes, limits: dict[str, int], counter: int
) -> None:
    stage = staged(limits=limits)
    stage.use()
    peer = stage.connect()
    peer.send(request_)
    peer.rest()
    assert stage.cell(counter) == 1


def test_what_an_idle_client_has_not_read_is_dropped_with_it(staged: Callable[..., Stage]) -> None:
    """A whole answer fits into the kernel: the connection is idle, and nothing is waited for."""
    stage = staged(timeouts={"client_idle_s": 0.2})
    with Backend(answers(response(b"x" * 100_000))) as backend:
        stage.proxy_to(backend)
        peer = Peer(gevent.socket.socket())
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sock.connect(stage.listener.getsockname())
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: stage.cell(layout.SLOW_READERS) == 1)
        with pytest.raises(ConnectionResetError):
            peer.rest()
        peer.close()


def test_who_has_read_all_of_it_is_closed_quietly(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"client_idle_s": 0.2})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert peer.message()[1] == b"ok"
        assert peer.rest() == b""
    assert stage.cell(layout.SLOW_READERS) == 0


def wants_it(peer: Peer) -> None:
    """Say that the body may come, and answer when it has."""
    head = peer.head()
    if b"\r\nExpect: " in head:
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    peer.exactly(1000)
    peer.send(response())


def guard(stage: Stage, backend: Backend, **timeouts: float) -> None:
    """Send everything to a server whose circuit opens at its first failure."""
    cluster = {"name": "c", "servers": ["s"], "circuit_breaker": {"consecutive_failures": 1}}
    api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}], "timeouts": timeouts}
    stage.use([{"name": "s", "address": backend.address}], [cluster], [api])


@pytest.mark.parametrize("fields", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_does_not_come_within_the_total_time_is_no_fault_of_the_server(stage: Stage, fields: bytes) -> None:
    with Backend(wants_it) as backend:
        guard(stage, backend, total_s=0.15, response_s=0.05)
        peer = stage.connect()
        peer.send(HEAD.replace(b"Content", fields + b"Content"))
        if fields:
            assert peer.head().startswith(b"HTTP/1.1 100 ")
        assert peer.head().startswith(b"HTTP/1.1 408 ")
        eventually(stage.is_quiet)
        assert read(stage.table, 0).state is State.CLOSED
        assert stage.runtime.cells[stage.table.row_base(0, 0) + layout.ROW_FAILURES] == 0


def test_a_body_that_leaves_no_time_for_an_answer_is_no_fault_of_the_server(stage: Stage) -> None:
    def slowly(peer: Peer) -> None:
        peer.message()
        gevent.sleep(0.3)
        peer.send(response())

    with Backend(slowly) as backend:
        guard(stage, backend, total_s=0.4)
        peer = stage.connect()
        peer.send(HEAD)
        gevent.sleep(0.2)
        peer.send(b"x" * 1000)
        assert peer.head().startswith(b"HTTP/1.1 408 ")
        eventually(stage.is_quiet)
        assert read(stage.table, 0).state is State.CLOSED


def test_who_has_been_told_to_go_on_may_take_longer_than_the_server(stage: Stage) -> None:
    with Backend(wants_it) as backend:
        guard(stage, backend, response_s=0.3)
        peer = stage.connect()
        peer.send(HEAD.replace(b"Content", b"Expect: 100-continue\r\nContent"))
        assert peer.head().startswith(b"HTTP/1.1 100 ")
        gevent.sleep(0.5)
        peer.send(b"x" * 1000)
        assert peer.message()[1] == b"ok"


@pytest.mark.parametrize("framing", [b"Content-Length: 30000000\r\n", b"Connection: close\r\n"])
def test_who_uses_up_the_total_time_in_reading_is_as_good_as_gone(stage: Stage, framing: bytes) -> None:
    large = b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (framing, bytes(30_000_000))
    with Backend(answers(large)) as backend:
        guard(stage, backend, total_s=0.4)
        peer = stage.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        gevent.sleep(0.6)
        assert len(peer.rest()) < len(large)
        eventually(stage.is_quiet)
        assert (stage.cell(layout.CLIENT_GONE), stage.cell(layout.SLOW_READERS)) == (1, 1)
        assert read(stage.table, 0).state is State.CLOSED


def test_a_server_that_uses_up_the_total_time_is_to_blame(stage: Stage) -> None:
    def dribbling(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n")
        while True:
            peer.send(b"x")
            gevent.sleep(0.01)

    with Backend(dribbling) as backend:
        guard(stage, backend, total_s=0.2)
        peer = stage.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert len(peer.rest()) < 1000
        eventually(stage.is_quiet)
        assert read(stage.table, 0).state is State.OPEN
