"""However a response is cut, whole or damaged, the client gets the same body for complete, or none."""

from collections.abc import Iterator
from itertools import pairwise

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.http1 import CHUNKED, parse_response_head
from tests.worker.peer import Backend, Peer, eventually, response
from tests.worker.stage import Stage

_OK = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
_RESPONSES = [
    response(b""),
    response(b"hello"),
    response(b"x" * 100, b"A: b"),
    response(b"hello", b"Connection: close"),
    _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    _OK + b"Transfer-Encoding: chunked\r\nTrailer: T\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n",
    _OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    _OK + b"\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(b"hello"),
    response(b"hello") + response(b"evil"),
]
_bytes = st.sampled_from(
    [b"", b"", b"0", b"5", b"\r", b"\n", b"\r\n", b" ", b":", b";", b"\x00", b"a", response(b"evil")]
)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A response, often with bytes put in, replaced or taken out at one place."""
    wire = draw(st.sampled_from(_RESPONSES))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(wire)))
        wire = wire[:at] + draw(_bytes) + wire[at + draw(st.integers(0, 3)) :]
    return wire


class Site:
    """A worker before a server that answers with `segments` and ends the connection."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.segments: list[bytes] = []
        self.has_ended = True

    def script(self, peer: Peer) -> None:
        peer.head()
        try:
            for segment in self.segments:
                peer.send(segment)
                gevent.idle()  # the worker takes it before the next one comes
            peer.end()
            peer.rest()
        finally:
            self.has_ended = True  # and the next answer comes over another connection

    def answer(self, segments: list[bytes]) -> tuple[int, bytes] | None:
        """Return status and body of an answer of the server that is complete, else None."""
        self.segments, self.has_ended = segments, False
        client = Peer.connect(self.stage.listener.getsockname())
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        try:
            return self._read(client)
        except (AssertionError, ConnectionResetError):
            return None  # cut off where the client can see it
        finally:
            client.close()
            eventually(lambda: self.has_ended)

    def _read(self, client: Peer) -> tuple[int, bytes] | None:
        head = client.head()
        while head.startswith(b"HTTP/1.1 1"):
            head = client.head()
        parsed = parse_response_head(head[:-2], 100)
        if b"application/problem+json" in head:
            return None
        if parsed.status in (204, 304):
            body = b""
        elif parsed.length == CHUNKED:
            body, _ = client.chunked_body()
        else:
            body = client.exactly(parsed.length)
        if client.rest():
            pytest.fail("there is something behind a complete answer")
        return parsed.status, body


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(Stage(tmp_path_factory.mktemp("split")))
    with Backend(site.script) as backend:
        site.stage.proxy_to(backend)
        yield site
        site.stage.close()


@given(responses(), st.lists(st.integers(0, 200), max_size=6))
def test_any_split_of_a_response_is_the_same_answer(site: Site, wire: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    segments = [wire[begin:end] for begin, end in pairwise(places) if begin < end]
    assert site.answer(segments) == site.answer([wire])
