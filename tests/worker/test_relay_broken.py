"""Responses that break, have something behind them, or whose client leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from gevent.event import Event

from gproxy.shared import layout
from tests.worker.peer import WITHIN_S, Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET10 = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
BIG = bytes(5_000_000)

TRUNCATED = [
    (OK + b"Content-Length: 5\r\n\r\n", b"ab"),
    (OK + b"Content-Length: 5\r\n\r\nab", b""),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nab"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"0\r\n"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"nonsense"),
]


def truncated(pieces: tuple[bytes, bytes], ending: Callable[[Peer], None], seen: Event) -> Callable[[Peer], None]:
    """Return a script that sends the second piece, and ends, when the client has seen something of the first."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(pieces[0])
        seen.wait(WITHIN_S)
        peer.send(pieces[1])
        ending(peer)

    return script


@pytest.mark.parametrize("pieces", TRUNCATED)
@pytest.mark.parametrize("ending", [Peer.close, Peer.reset])
def test_a_truncated_body_never_looks_complete(
    stage: Stage, pieces: tuple[bytes, bytes], ending: Callable[[Peer], None]
) -> None:
    seen = Event()
    with Backend(truncated(pieces, ending, seen)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        head = client.head()
        seen.set()
        rest = client.rest()  # ends, and without what would make it whole
        assert len(rest) < 5 or b"Transfer-Encoding" in head
        assert not rest.endswith(b"0\r\n\r\n")
        eventually(stage.is_quiet)
        assert stage.cell(layout.CONNECTIONS) == 0


@pytest.mark.parametrize("pieces", TRUNCATED)
def test_an_http10_client_gets_a_reset_for_a_truncated_body(stage: Stage, pieces: tuple[bytes, bytes]) -> None:
    seen = Event()
    with Backend(truncated(pieces, Peer.close, seen)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET10)
        client.head()
        seen.set()
        with pytest.raises(ConnectionResetError):
            client.rest()


def test_a_server_that_stops_within_a_body(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": 0.1, "response_s": 0.1})

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(OK + b"Content-Length: 5\r\n\r\nab")
        peer.rest()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.head()
        assert client.rest() == b"ab"


def test_a_client_that_stops_reading_is_given_up(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": 0.1})
    with Backend(answers(response(BIG * 10))) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.head()
        eventually(lambda: stage.requests() == 1)
        eventually(lambda: backend.peers[0].sock.closed)


@pytest.mark.parametrize(
    "answer",
    [
        response(b"abc") + b"x",
        response(b"abc") + response(b"evil"),
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + response(b"evil"),
        b"HTTP/1.1 204 No Content\r\n\r\nabc",
        b"HTTP/1.1 304 Not Modified\r\n\r\n" + response(b"evil"),
    ],
)
def test_bytes_behind_a_response_go_nowhere(stage: Stage, answer: bytes) -> None:
    with Backend(answers(answer, response(b"evil"))) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(3):
            client.send(GET)
            head = client.head()
            assert b"evil" not in head
            if b"chunked" in head:
                assert client.chunked_body() == (b"abc", [])
            elif b"Content-Length" in head:
                assert client.exactly(3) == b"abc"
        assert len(backend.peers) == 3


@pytest.mark.parametrize("answer", [response(BIG), OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"])
def test_a_client_that_leaves_within_a_body(stage: Stage, answer: bytes) -> None:
    ended: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer)
        ended.append(peer.rest())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.head()
        client.reset()
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == 1
        eventually(lambda: backend.peers[0].sock.closed)


def test_a_broken_response_is_recorded_with_its_reason(staged: Callable[..., Stage], tmp_path: Path) -> None:
    stage = staged(log={"access": tmp_path / "access.log"})
    seen = Event()
    seen.set()
    with Backend(truncated(TRUNCATED[1], Peer.close, seen)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.rest()
    assert stage.runtime.access_log is not None
    stage.runtime.access_log.close()
    entry = json.loads((tmp_path / "access.log").read_text())
    assert (entry["status"], entry["code"]) == (200, "response_broken")
    assert "before the end of the body" in entry["reason"]


def test_a_client_that_leaves_while_it_takes_a_piece_is_not_waited_for_with_the_next(stage: Stage) -> None:
    def server(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(b"%x\r\n%b\r\n" % (6 * len(BIG), 6 * BIG))
        peer.rest()  # there is no more for the time being

    with Backend(server) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        (ours,) = stage.runtime.clients
        eventually(lambda: ours._write_wait)
        client.end()
        eventually(lambda: ours.gone)
        client.rest()
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == 1
