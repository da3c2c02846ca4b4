"""How connections of clients end: no answer is lost, and nothing broken off looks complete."""

from __future__ import annotations

import gc
from collections.abc import Callable

import gevent
import gevent.event
import pytest

from gproxy.worker.connection import Client
from tests.worker.peer import Backend, Peer, eventually, response
from tests.worker.stage import Stage

GET10 = b"GET / HTTP/1.0\r\n\r\n"


def test_what_a_client_sends_during_its_last_answer_does_not_reset_the_connection(stage: Stage) -> None:
    # Closing with unread bytes resets, and what of the answer is still in the socket's buffer would be lost.
    size = 20_000_000  # more than the buffers on the way take
    asked, answer = gevent.event.Event(), gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        asked.set()
        answer.wait()
        peer.send(response(bytes(size)))

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        asked.wait()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer.set()
        client.head()
        client.exactly(size - 100_000)
        (served,) = stage.runtime.clients or (None,)
        assert served is None or served.lingers
        assert len(client.rest()) == 100_000


def test_a_client_of_http10_that_stopped_sending_gets_no_truncated_answer_that_looks_complete(stage: Stage) -> None:
    go_on = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        go_on.wait()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET10)
        client.head()
        assert client.exactly(5) == b"hello"
        client.end()
        with pytest.raises(ConnectionResetError):
            client.rest()
        go_on.set()


def test_a_client_of_http10_that_stopped_reading_gets_no_truncated_answer_that_looks_complete(
    staged: Callable[..., Stage],
) -> None:
    stage = staged(timeouts={"body_s": 0.2})

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(30_000_000))

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET10)
        client.head()
        eventually(lambda: not stage.runtime.clients)
        with pytest.raises(ConnectionResetError):
            client.rest()


def test_a_client_is_forgotten_with_its_connection(stage: Stage) -> None:
    # A greenlet that waits for its next task must not keep what the last one worked on.
    client = stage.connect()
    client.send(b"GET / HTTP/1.1\r\nA: " + b"a" * 30_000)
    eventually(lambda: any(served.busy for served in stage.runtime.clients))
    client.close()
    eventually(lambda: not stage.runtime.clients)
    assert not [
        thing for thing in gc.get_objects() if issubclass(type(thing), Client) and thing.runtime is stage.runtime
    ]
