"""However a stream of requests is cut, the server gets the same requests and the client the same answers."""

from collections.abc import Iterator
from itertools import pairwise

import gevent
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gproxy.core.http1 import parse_response_head, split_fields
from tests.worker.peer import Backend, Peer, response
from tests.worker.stage import Stage

Site = tuple[Stage, list[bytes]]

_REQUESTS = [
    b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET /2 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
    b"HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /6 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\n\r\n\r\n0\r\nT: x\r\n\r\n",
    b"POST /7 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /8 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET http://b/9 HTTP/1.1\r\nHost: a\r\n\r\n",
]
_LAST = [
    b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A worker before one server that notes the request line and the body of what it gets."""
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        while head := peer.head():
            body = b""
            if b"Transfer-Encoding: chunked" in head:
                body, _ = peer.chunked_body()
            for name, value in split_fields(head.partition(b"\r\n")[2][:-2]):
                if name == b"Content-Length":
                    body = peer.exactly(int(value))
            seen.append(head.partition(b"\r\n")[0] + b" " + body)
            peer.send(response(b"" if head.startswith(b"HEAD") else seen[-1]))

    stage = Stage(tmp_path_factory.mktemp("split"))
    with Backend(script) as backend:
        stage.proxy_to(backend)
        yield stage, seen
        stage.close()


def converse(site: Site, segments: list[bytes]) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """Send the segments; return what the server got, and status and body of every answer."""
    stage, seen = site
    seen.clear()
    client = Peer.connect(stage.listener.getsockname())
    for segment in segments:
        client.send(segment)
        gevent.idle()  # the worker takes it before the next one comes
    answers = []
    while head := client.head():
        parsed = parse_response_head(head[:-2], 100)
        body = client.exactly(parsed.length)
        answers.append((parsed.status, body if parsed.status == 200 else b""))
    client.close()
    return list(seen), answers


@given(
    st.lists(st.sampled_from(_REQUESTS), max_size=5),
    st.sampled_from(_LAST),
    st.lists(st.integers(0, 400), max_size=8),
)
@example(_REQUESTS, _LAST[0], list(range(0, 1000, 3)))
def test_any_split_gives_the_same(site: Site, requests: list[bytes], last: bytes, cuts: list[int]) -> None:
    wire = b"".join(requests) + last
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    segments = [wire[begin:end] for begin, end in pairwise(places) if begin < end]
    seen, answers = converse(site, segments)
    assert (seen, answers) == converse(site, [wire])
    assert len(answers) == len(requests) + 1
    assert [line.split(b" ")[1] for line in seen][: len(requests)] == [_path(request) for request in requests]


def _path(request: bytes) -> bytes:
    return b"/" + request.partition(b" HTTP/")[0].rpartition(b"/")[2]
