"""What becomes of the heads that servers answer with: invalid, interim, late."""

import json

import pytest

from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def failed(client: Peer) -> tuple[bytes, str]:
    """Read a problem document: (status, code)."""
    head, body = client.message()
    return head[9:12], json.loads(body)["code"]


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000,
        b"HTTP/1.1 200 OK\r\nA: b",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nnonsense\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 100,
        b"",
    ],
)
def test_an_invalid_answer_becomes_502(stage: Stage, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer)
        peer.end()
        peer.rest()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        head = client.head()
        while head.startswith(b"HTTP/1.1 1"):
            head = client.head()
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        eventually(lambda: stage.cell(layout.STATUS_5XX) == 1)


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_interim_responses_are_passed_on(stage: Stage, step: int) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    def script(peer: Peer) -> None:
        peer.head()
        wire = interim * 2 + response()
        for at in range(0, len(wire), step):
            peer.send(wire[at : at + step])

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        assert [client.head(), client.head()] == [interim, interim]
        assert client.message()[1] == b"ok"


def test_http10_clients_get_no_interim_responses(stage: Stage) -> None:
    with Backend(answers(b"HTTP/1.1 103 Early Hints\r\n\r\n" + response())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert client.message()[0].startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_server_that_takes_too_long(stage: Stage, said: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(said)
        peer.rest()

    with Backend(script) as backend:
        stage.proxy_to(backend, timeouts={"response_s": 0.1})
        client = stage.connect()
        client.send(GET)
        if b"103" in said:
            client.head()
        assert failed(client) == (b"504", "upstream_timeout")
        eventually(lambda: backend.peers[0].sock.closed)
