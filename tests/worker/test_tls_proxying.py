"""Whole exchanges with a TLS server: what is true of plain sockets must be true there too."""

import json
from collections.abc import Callable

import pytest

from gproxy.shared import layout
from tests.worker.authority import Authority
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = bytes(range(256)) * 20_000
OK = b"HTTP/1.1 200 OK\r\n"

Serve = Callable[[Callable[[Peer], object]], Backend]


@pytest.fixture
def server(authority: Authority) -> Serve:
    """Return what makes a TLS server of a script."""
    return lambda script: Backend(script, tls=authority.server("127.0.0.1"))


def connect(stage: Stage, backend: Backend, authority: Authority) -> Peer:
    """Send everything to `backend` and open a client connection."""
    document = {"name": "s", "address": backend.address, "scheme": "https", "tls": {"ca_file": authority.ca_file}}
    api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
    stage.use([document], [{"name": "c", "servers": ["s"]}], [api])
    return stage.connect()


@pytest.mark.parametrize("body", [b"", b"ok", BIG])
def test_responses(stage: Stage, authority: Authority, server: Serve, body: bytes) -> None:
    with server(answers(response(body))) as backend:
        client = connect(stage, backend, authority)
        for _ in range(3):
            client.send(GET)
            assert client.message()[1] == body
        assert len(backend.peers) == 1
        assert stage.cell(layout.UPSTREAM_REUSED) == 2


@pytest.mark.parametrize("step", [1, 1000, 16384, 20000])
def test_responses_in_pieces(stage: Stage, authority: Authority, server: Serve, step: int) -> None:
    wire = response(BIG[: 50 * step])

    def script(peer: Peer) -> None:
        while peer.head():
            for at in range(0, len(wire), step):
                peer.send(wire[at : at + step])

    with server(script) as backend:
        client = connect(stage, backend, authority)
        for _ in range(2):
            client.send(GET)
            assert client.message()[1] == BIG[: 50 * step]
        assert len(backend.peers) == 1


def test_chunked_responses(stage: Stage, authority: Authority, server: Serve) -> None:
    chunk = b"%x\r\n%b\r\n" % (len(BIG), BIG)
    with server(answers(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")) as backend:
        client = connect(stage, backend, authority)
        for _ in range(2):
            client.send(GET)
            client.head()
            assert client.chunked_body()[0] == BIG


def test_requests_with_bodies(stage: Stage, authority: Authority, server: Serve) -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            peer.send(response(peer.exactly(len(BIG))))

    with server(script) as backend:
        client = connect(stage, backend, authority)
        for _ in range(2):
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG)
            assert client.message()[1] == BIG
        assert len(backend.peers) == 1


def test_a_body_that_ends_with_an_honest_end_is_whole(stage: Stage, authority: Authority, server: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(OK + b"\r\nabc")
        peer.sock.unwrap()

    with server(script) as backend:
        client = connect(stage, backend, authority)
        client.send(GET)
        client.head()
        assert client.chunked_body()[0] == b"abc"


def test_a_body_that_is_cut_off_is_not_whole(stage: Stage, authority: Authority, server: Serve) -> None:
    # Without close_notify anybody on the way could have ended the connection.
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(OK + b"\r\nabc")
        peer.close()

    with server(script) as backend:
        client = connect(stage, backend, authority)
        client.send(GET)
        client.head()
        assert not client.rest().endswith(b"0\r\n\r\n")


def test_a_stale_connection_is_not_the_clients_problem(stage: Stage, authority: Authority, server: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.message()
        peer.send(response())
        peer.message()
        peer.close()

    with server(script) as backend:
        client = connect(stage, backend, authority)
        for _ in range(2):
            client.send(GET)
            assert client.message()[1] == b"ok"
        assert stage.cell(layout.RESENDS) == 1


def test_a_certificate_of_somebody_else(stage: Stage, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with Backend(answers(response()), tls=authority.server("other.example")) as backend:
        client = connect(stage, backend, authority)
        client.send(GET)
        head, body = client.message()
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert json.loads(body)["detail"] == "The server could not be reached."
        eventually(stage.is_quiet)
    (record,) = caplog.records
    assert "certificate verify failed" in record.reason  # type: ignore[attr-defined]


def test_a_client_that_leaves_takes_its_request_along(stage: Stage, authority: Authority, server: Serve) -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        seen.append(peer.head())
        seen.append(peer.rest())

    with server(script) as backend:
        client = connect(stage, backend, authority)
        client.send(GET)
        eventually(lambda: seen)
        client.close()
        eventually(lambda: stage.cell(layout.CLIENT_GONE) == 1)
        eventually(lambda: len(seen) == 2)
