"""How uploads end when client, server or story fail: nothing is left behind, and the right one is blamed."""

from __future__ import annotations

import gc
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import pytest

from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.upload import Upload
from tests.worker.authority import Authority
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

#: more than the buffers on the way take
MOST = 30_000_000
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def pushing(client: Peer, data: bytes) -> Any:
    """Send `data` as far as it is taken, in a greenlet that is returned."""

    def push() -> None:
        with suppress(OSError):  # the worker had enough
            client.sock.sendall(data)

    return gevent.spawn(push)


@pytest.mark.parametrize("tls", [False, True])
def test_an_early_answer_to_an_upload_that_the_server_does_not_read(
    staged: Callable[..., Stage], authority: Authority, tls: bool
) -> None:
    # The upload is parked on a connection that the story closes: nobody may stay behind, and libev must not mind.
    stage = staged(timeouts={"body_s": 0})
    answer = gevent.event.Event()
    done = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        answer.wait()
        peer.send(response(b"early"))
        done.wait()

    with Backend(script, tls=authority.server("127.0.0.1") if tls else None) as backend:
        options = {"scheme": "https", "tls": {"ca_file": authority.ca_file}} if tls else {}
        server = {"name": "s", "address": backend.address, **options}
        api = {"name": "a", "path": "/*", "nodes": [{"cluster": "c"}]}
        stage.use([server], [{"name": "c", "servers": ["s"]}], [api])
        client = stage.connect()
        push = pushing(client, POST % MOST + bytes(MOST))
        eventually(lambda: stage.runtime.clients)
        (served,) = stage.runtime.clients
        eventually(lambda: served.waits_for is not None and served.waits_for._write_wait is not None)
        assert served.deadline == NEVER, "a client is not too slow while the server does not read"
        upstream = served.waits_for
        assert upstream is not None
        answer.set()
        assert client.message()[1] == b"early"
        eventually(lambda: upstream.closed and upstream._write_wait is None)
        assert stage.is_quiet()
        push.kill()
        done.set()


def test_a_server_that_stops_reading_is_the_one_to_blame(staged: Callable[..., Stage], tmp_path: Path) -> None:
    stage = staged(timeouts={"body_s": 0.2})
    done = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        for _ in range(4):  # progress, and yet one piece takes longer than a client may take for the next one
            peer.sock.recv(20_000)
            gevent.sleep(0.1)
        done.wait()

    with Backend(script, path=tmp_path / "s") as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        push = pushing(client, POST % MOST + bytes(MOST))
        assert json.loads(client.message()[1])["code"] == "upstream_timeout"
        assert stage.cell(layout.CLIENT_GONE) == 0
        push.kill()
        done.set()


def test_an_answer_that_began_early_keeps_its_own_limit(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": 10, "response_s": 0.2})
    done = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        done.wait()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        client.head()
        client.send(b"abc")
        assert client.rest() == b"12345"
        done.set()


def test_a_server_that_hangs_up_half_way_has_to_answer_in_time(staged: Callable[..., Stage], tmp_path: Path) -> None:
    # On a unix socket the end of its reading side breaks our writes and says nothing to our reads.
    stage = staged(timeouts={"body_s": 10, "response_s": 0.2})
    done = gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.sock.shutdown(0)
        done.wait()

    with Backend(script, path=tmp_path / "s") as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        push = pushing(client, POST % MOST + bytes(MOST))
        assert json.loads(client.message()[1])["code"] == "upstream_timeout"
        push.kill()
        done.set()


def test_a_reset_that_the_upload_heard_of_is_no_end_of_the_answer(stage: Stage) -> None:
    # The system reports a reset once: to the upload that writes. The story then reads an end of the connection.
    reset, ended = gevent.event.Event(), gevent.event.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        reset.wait()
        peer.reset()
        ended.set()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(POST % MOST + b"x")
        client.head()
        assert client.exactly(10) == b"5\r\nhello\r\n"
        (served,) = stage.runtime.clients
        upstream = served.waits_for
        assert upstream is not None
        upstream.disarm()  # as if the client's bytes came first in this turn of the loop
        reset.set()
        ended.wait()
        client.send(b"x")
        eventually(lambda: served.reader is None)
        upstream.arm()
        assert client.rest() == b""


def test_uploads_are_freed_without_a_collection(stage: Stage) -> None:
    # Each one holds the first part of its body: thousands of them waiting for the collector are hundreds of megabytes.
    def uploads() -> int:
        return sum(issubclass(type(thing), Upload) for thing in gc.get_objects())

    before = uploads()
    gc.disable()
    try:
        with Backend(answers(response())) as backend:
            stage.proxy_to(backend)
            client = stage.connect()
            for _ in range(10):
                client.send(POST % 100_000 + bytes(100_000))
                assert client.message()[1] == b"ok"
        assert uploads() <= before + 2
    finally:
        gc.enable()


def test_a_client_that_leaves_while_the_server_takes_the_last_of_its_body(stage: Stage) -> None:
    """Its end is seen at a time when what is there may still be its body: so it has to be looked for again."""
    may_read = gevent.event.Event()

    def server(peer: Peer) -> None:
        peer.message()
        peer.send(response())
        peer.head()
        may_read.wait()
        peer.exactly(60_000)
        peer.rest()  # and never answers

    with Backend(server) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.message()
        (pool,) = stage.runtime.pools.values()
        (upstream,) = pool._idle
        upstream.wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        backend.peers[0].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
        eventually(lambda: stage.cell(layout.ACTIVE))
        client.send(bytes(60_000))
        client.close()
        (ours,) = stage.runtime.clients
        eventually(lambda: not ours._armed)
        may_read.set()
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == 1
