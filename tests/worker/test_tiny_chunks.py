"""Bodies in chunks of next to nothing: they arrive whole, and others have their turn meanwhile."""

import time
from collections.abc import Callable

import gevent
import pytest

from gproxy.core.errors import BadRequest
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("count", [500, 1000, 1001, 5000])
def test_they_arrive_whole(stage: Stage, count: int) -> None:
    bodies = []

    def server(peer: Peer) -> None:
        while peer.head():
            bodies.append(peer.chunked_body()[0])
            peer.send(response())

    with Backend(server) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        for _ in range(2):
            peer.send(CHUNKED + b"1\r\nx\r\n" * count + b"0\r\n\r\n")
            assert peer.message()[1] == b"ok"
    assert bodies == [b"x" * count] * 2


def test_they_arrive_whole_where_somebody_wants_all_of_the_body(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        exchange = stage.exchange(b"Host: a\r\nTransfer-Encoding: chunked\r\n", method=b"POST")
        exchange.client.buffer = b"1\r\nx\r\n" * 5000 + b"0\r\n\r\nnext"
        exchange.take_body(0)
        assert gevent.spawn(exchange.whole_body).get(timeout=10) == b"x" * 5000
        assert exchange.client.buffer == b"next"


def test_others_have_their_turn(stage: Stage) -> None:
    def server(peer: Peer) -> None:
        while head := peer.head():
            if head.startswith(b"POST"):
                peer.rest()
            peer.send(response())

    with Backend(server) as backend:
        stage.proxy_to(backend)
        attackers = [stage.connect() for _ in range(4)]
        polite = stage.connect()
        burst = b"1\r\nx\r\n" * 10_000
        for attacker in attackers:
            attacker.send(CHUNKED + burst)
        worst_s = 0.0
        for _ in range(20):
            began_s = time.process_time()
            polite.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert polite.message()[1] == b"ok"
            worst_s = max(worst_s, time.process_time() - began_s)
    assert worst_s < 0.1, "decoding all of it takes longer than that"


def test_what_is_little_but_extensions_is_refused(staged: Callable[..., Stage]) -> None:
    stage = staged()
    stage.use()
    peer = stage.connect()
    peer.send(CHUNKED + (b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 30)
    assert peer.head().startswith(b"HTTP/1.1 %d " % BadRequest.status)
