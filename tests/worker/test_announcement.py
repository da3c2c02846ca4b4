"""Connections that begin with a PROXY header: who is believed, and what comes after it."""

import contextlib
import ipaddress
import logging
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent.ssl
import pytest

from gproxy.shared import layout
from tests.harness.pairs import Issuer
from tests.worker.peer import Backend, Peer, answers, eventually, limited, response, settled
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
LINE = b"PROXY TCP4 203.0.113.7 10.0.0.1 1000 80\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ANNOUNCED = {"bind": "127.0.0.1:0", "proxy_protocol": "127.0.0.1:0"}
ISSUER = Issuer()


def binary(command: int = 0x21, extra: bytes = b"") -> bytes:
    addresses = [ipaddress.ip_address(text).packed for text in ("2001:db8::7", "::1")]
    body = b"".join(addresses) + struct.pack(">HH", 1, 2) + extra
    return SIGNATURE + struct.pack(">BBH", command, 0x21, len(body)) + body


@pytest.fixture
def stage(staged: Callable[..., Stage]) -> Stage:
    return staged(gproxy={**ANNOUNCED, "trusted_proxies": "127.0.0.1"})


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend(answers(response())) as made:
        yield made


def told(stage: Stage, *parts: bytes, request: bytes = GET) -> bytes:
    """Return the head that a server gets when a connection begins with these parts."""
    heads: list[bytes] = []

    def script(server: Peer) -> None:
        heads.append(server.head())
        server.send(response())

    with Backend(script) as server:
        stage.proxy_to(server)
        peer = stage.connect()
        for part in parts:
            peer.send(part)
            settled(lambda: len(stage.runtime.clients))
        peer.send(request)
        assert peer.message()[1] == b"ok"
        peer.close()
    return heads[0]


@pytest.mark.parametrize(
    ("parts", "source"),
    [
        ((LINE,), "203.0.113.7"),
        ((LINE[:10], LINE[10:-1], LINE[-1:]), "203.0.113.7"),
        ((binary(),), "2001:db8::7"),
        ((binary()[:5], binary()[5:20], binary()[20:]), "2001:db8::7"),
        ((binary(extra=b"\x04\x00\x05" + b"x" * 1000),), "2001:db8::7"),
        ((binary(command=0x20),), "127.0.0.1"),
        ((b"PROXY UNKNOWN\r\n",), "127.0.0.1"),
    ],
)
def test_the_client_is_who_was_announced(stage: Stage, parts: tuple[bytes, ...], source: str) -> None:
    head = told(stage, *parts)
    assert f"\r\nX-Forwarded-For: {source}\r\n".encode() in head


def test_the_request_may_come_with_the_header(stage: Stage, backend: Backend) -> None:
    stage.proxy_to(backend)
    peer = stage.connect()
    peer.send(LINE + GET + GET)
    assert [peer.message()[1] for _ in range(2)] == [b"ok"] * 2


def test_an_announced_client_is_not_believed_further(stage: Stage) -> None:
    lie = b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n"
    head = told(stage, LINE, request=lie)
    assert b"1.2.3.4" not in head
    assert b"\r\nX-Forwarded-Proto: http\r\n" in head


def test_a_balancer_of_its_own_is_a_trusted_client(stage: Stage) -> None:
    """A health check of the balancer (LOCAL) speaks for nobody else, and may use what it is trusted with."""
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
    assert b"X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n" in told(stage, binary(command=0x20), request=request)


@pytest.mark.parametrize("data", [GET, b"PROXY TCP4 x\r\n", b"\x16\x03\x01\x02\x00", binary()[:12] + b"\x99" * 20])
def test_what_is_no_header_ends_the_connection(stage: Stage, caplog: pytest.LogCaptureFixture, data: bytes) -> None:
    peer = stage.connect()
    peer.send(data)
    with contextlib.suppress(OSError):
        assert peer.rest() == b""
    eventually(lambda: not stage.runtime.clients)
    assert stage.cell(layout.REFUSED_ANNOUNCEMENTS) == 1
    assert stage.requests() == 0
    assert caplog.records[-1].levelno == logging.WARNING


def test_who_is_not_trusted_is_not_listened_to(staged: Callable[..., Stage], caplog: pytest.LogCaptureFixture) -> None:
    stage = staged(gproxy={**ANNOUNCED, "trusted_proxies": "10.0.0.0/8"})
    for _ in range(3):
        peer = stage.connect()
        with contextlib.suppress(OSError):
            peer.send(LINE + GET)
            assert peer.rest() == b""
    assert stage.cell(layout.REFUSED_ANNOUNCEMENTS) == 3
    assert stage.requests() == 0
    assert [record.reason for record in caplog.records] == ["not in trusted_proxies"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("first", [b"", LINE[:-1], binary()[:-1]])
def test_a_header_has_to_come_in_time(staged: Callable[..., Stage], first: bytes) -> None:
    stage = staged(gproxy={**ANNOUNCED, "trusted_proxies": "127.0.0.1"}, timeouts={"handshake_s": 0.2})
    peer = stage.connect()
    peer.send(first)
    assert peer.rest() == b""
    assert stage.cell(layout.SLOW_HANDSHAKES) == 1


def test_a_client_that_leaves_within_the_header(stage: Stage) -> None:
    for data in (b"", LINE[:5]):
        for leave in (Peer.close, Peer.reset, Peer.end):
            peer = stage.connect()
            peer.send(data)
            leave(peer)
    eventually(lambda: stage.cell(layout.ACCEPTED) == 6 and not stage.runtime.clients)


def test_connections_are_counted_by_who_was_announced(staged: Callable[..., Stage], backend: Backend) -> None:
    stage = staged(gproxy={**ANNOUNCED, "trusted_proxies": "127.0.0.1"}, limits={"connections_per_ip": 1})
    stage.proxy_to(backend)
    first, second, other = stage.connect(), stage.connect(), stage.connect()
    first.send(LINE + GET)
    assert first.message()[1] == b"ok"
    second.send(LINE)
    assert second.message()[0].startswith(b"HTTP/1.1 503 ")
    assert second.rest() == b""
    other.send(binary() + GET)
    assert other.message()[1] == b"ok"
    assert stage.cell(layout.CROWDED) == 1
    first.close()
    eventually(lambda: len(stage.runtime.clients) == 1)
    assert b"203.0.113.7" in told(stage, LINE)


@pytest.fixture
def secured(staged: Callable[..., Stage], tmp_path: Path) -> Stage:
    folder = tmp_path / "certificates"
    folder.mkdir()
    ISSUER.write(folder, "a", "a.test")
    return staged(
        gproxy={"bind": "", "proxy_protocol": "127.0.0.1:0", "trusted_proxies": "127.0.0.1"},
        tls={"bind": "127.0.0.1:0", "certificates": folder},
    )


@pytest.mark.parametrize("header", [LINE, binary()])
def test_a_handshake_follows_the_header(secured: Stage, backend: Backend, header: bytes) -> None:
    secured.proxy_to(backend)
    peer = secured.connect()
    peer.send(header)
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ISSUER.pem.decode())
    with limited():
        peer.sock = context.wrap_socket(peer.sock, server_hostname="a.test")
    peer.send(GET)
    assert peer.message()[1] == b"ok"
    (client,) = secured.runtime.clients
    assert client.origin.ip in (b"203.0.113.7", b"2001:db8::7")
    assert client.origin.scheme == b"https"
