from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gproxy import filters
from gproxy.core.http1 import ResponseHead
from gproxy.worker.exchange import Exchange
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = bytes(range(256)) * 2000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


@dataclass
class Listening:
    """A filter that listens in on every response that it `wants`; `heard` is what became of them."""

    wants: bool = True
    heard: list[tuple[int, bytes, str]] = field(default_factory=list)

    def tap(self, exchange: Exchange, head: ResponseHead) -> Any:
        return _Ear(head.status, self.heard) if self.wants else None


class _Ear:
    def __init__(self, status: int, heard: list[tuple[int, bytes, str]]) -> None:
        self._status, self._heard, self._pieces = status, heard, list[bytes]()

    def feed(self, piece: bytes | memoryview) -> None:
        self._pieces.append(bytes(piece))

    def end(self) -> None:
        self._heard.append((self._status, b"".join(self._pieces), "whole"))

    def abandon(self) -> None:
        self._heard.append((self._status, b"".join(self._pieces), "broken"))


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Listening]:
    """Put listeners into every API; the last one is returned."""

    def put(*more: Listening) -> Listening:
        ears = (*more, Listening())
        monkeypatch.setattr(filters, "ORDER", (*filters.ORDER, *((lambda _, ear=ear: ear) for ear in ears)))
        return ears[-1]

    return put


@pytest.mark.parametrize(
    ("wire", "status", "body"),
    [
        (response(b"hello"), 200, b"hello"),
        (response(b""), 200, b""),
        (response(BIG), 200, BIG),
        (CHUNKED, 200, b"hello world"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
    ],
)
def test_the_body_is_heard_unframed(
    stage: Stage, listening: Callable[..., Listening], wire: bytes, status: int, body: bytes
) -> None:
    other, deaf = Listening(), Listening(wants=False)
    ear = listening(other, deaf)
    with Backend(answers(wire)) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            client.send(GET)
            client.until(body[-9:] if b"chunked" not in wire and body else wire[-4:])
        eventually(lambda: len(ear.heard) == 2)
        assert len(backend.peers) == 1
    assert ear.heard == other.heard == [(status, body, "whole")] * 2
    assert deaf.heard == []


def test_nobody_takes_a_broken_response_for_whole(stage: Stage, listening: Callable[..., Listening]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        peer.close()

    ear = listening()
    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        assert client.rest().endswith(b"hello")
    assert ear.heard == [(200, b"hello", "broken")]


def test_a_client_that_leaves_ends_the_listening(stage: Stage, listening: Callable[..., Listening]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe")
        peer.rest()

    ear = listening()
    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.until(b"he")
        client.close()
        eventually(lambda: ear.heard)
    assert ear.heard == [(200, b"he", "broken")]


NODES = [{"cluster": "c", "attr": "a"}, {"cluster": "c", "attr": "b"}]


@pytest.mark.parametrize(
    ("request_", "wire", "status", "body"),
    [
        (GET, response(b"1"), 200, b'{"a":1,"b":1}'),
        (GET, b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
        (GET.replace(b"GET", b"HEAD"), response(b"1"), 200, b""),
    ],
)
def test_of_an_aggregation_the_whole_is_heard(
    stage: Stage, listening: Callable[..., Listening], request_: bytes, wire: bytes, status: int, body: bytes
) -> None:
    ear = listening()
    with Backend(answers(wire)) as backend:
        stage.proxy_to(backend, nodes=NODES)
        with stage.connect() as client:
            client.send(request_)
            client.head()
            eventually(lambda: ear.heard)
    assert ear.heard == [(status, body, "whole")]


def test_nothing_is_heard_of_a_whole_that_nobody_takes(stage: Stage, listening: Callable[..., Listening]) -> None:
    ear = listening()
    large = response(b'"%b"' % (b"x" * 8_000_000))
    with Backend(answers(large)) as backend:
        stage.proxy_to(backend, nodes=NODES)
        with stage.connect() as client:
            client.send(GET)
            client.head()
            client.reset()
            eventually(lambda: ear.heard)
    assert ear.heard == [(200, b"", "broken")]
