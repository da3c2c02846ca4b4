from collections.abc import Callable

import pytest

from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET10 = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
BIG = bytes(range(256)) * 20_000


def once(*pieces: bytes) -> Callable[[Peer], None]:
    """Return a script that answers the first request with these pieces, each in a segment of its own, and ends."""

    def script(peer: Peer) -> None:
        peer.head()
        for piece in pieces:
            peer.send(piece)
        peer.close()

    return script


@pytest.mark.parametrize("step", [1, 10, 45, 1000])
def test_a_body_of_known_length_may_come_in_pieces(stage: Stage, step: int) -> None:
    wire = response(b"0123456789" * 5)

    def script(peer: Peer) -> None:
        while peer.head():
            for at in range(0, len(wire), step):
                peer.send(wire[at : at + step])

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            client.send(GET)
            assert client.message()[1] == b"0123456789" * 5
        assert len(backend.peers) == 1


@pytest.mark.parametrize("request_head", [GET, GET10])
def test_a_large_body(stage: Stage, request_head: bytes) -> None:
    with Backend(answers(response(BIG))) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            client.send(request_head)
            head, body = client.message()
            assert body == BIG
        eventually(stage.is_quiet)
        assert stage.cell(layout.BYTES_OUT) == 2 * (len(head) + len(BIG))
        assert len(backend.peers) == 1


def test_a_slow_client_slows_the_server_down(stage: Stage) -> None:
    sent = [0]

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(OK + b"Content-Length: %d\r\n\r\n" % (20 * len(BIG)))
        for _ in range(20):
            peer.send(BIG)
            sent[0] += 1

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.head()
        client.exactly(len(BIG))
        assert sent[0] < 12  # what socket buffers hold, and no more
        for _ in range(19):
            client.exactly(len(BIG))
        eventually(lambda: sent[0] == 20)


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        (b"HEAD", OK + b"Content-Length: 5\r\n\r\n", OK + b"Content-Length: 5\r\n\r\n"),
        (b"HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n", OK + b"\r\n"),
        (b"HEAD", OK + b"\r\n", OK + b"\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 x\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"),
        (b"GET", OK + b"Content-Length: 0\r\n\r\n", OK + b"Content-Length: 0\r\n\r\n"),
    ],
)
def test_responses_without_a_body(stage: Stage, method: bytes, answer: bytes, expected: bytes) -> None:
    with Backend(answers(answer)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(3):
            client.send(GET.replace(b"GET", method))
            assert client.head() == expected
        assert len(backend.peers) == 1


CHUNKED = (
    OK
    + b"Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\nZ: z\r\n\r\n"
)


@pytest.mark.parametrize("step", [1, 3, 64, 70, 1000])
def test_a_chunked_body(stage: Stage, step: int) -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            for at in range(0, len(CHUNKED), step):
                peer.send(CHUNKED[at : at + step])

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            client.send(GET)
            head = client.head()
            assert head.endswith(b"Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")
            assert b"Content-Length" not in head
            assert client.chunked_body() == (b"abcdefg", [(b"X-Sum", b"7")])
        assert len(backend.peers) == 1


def test_a_chunked_body_for_an_http10_client_ends_with_the_connection(stage: Stage) -> None:
    with Backend(answers(CHUNKED)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET10)
        head = client.head()
        assert b"Transfer-Encoding" not in head
        assert b"\r\nConnection: close\r\n" in head
        assert client.rest() == b"abcdefg"


@pytest.mark.parametrize("lines", [b"", b"Connection: close\r\n"])
def test_a_body_that_ends_with_the_connection_is_framed(stage: Stage, lines: bytes) -> None:
    with Backend(once(OK + lines + b"\r\n", b"abc", b"defg")) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            client.send(GET)
            assert b"\r\nTransfer-Encoding: chunked\r\n" in client.head()
            assert client.chunked_body() == (b"abcdefg", [])
        assert len(backend.peers) == 2


def test_a_body_that_ends_with_the_connection_for_an_http10_client(stage: Stage) -> None:
    with Backend(once(b"HTTP/1.0 200 OK\r\n\r\nabc", b"defg")) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET10)
        assert b"\r\nConnection: close\r\n" in client.head()
        assert client.rest() == b"abcdefg"
