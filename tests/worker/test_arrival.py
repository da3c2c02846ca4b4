import base64
import contextlib
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.ssl
import pytest

from gproxy.shared import layout
from tests.harness.pairs import Issuer, key_pem
from tests.worker.peer import Backend, Peer, answers, eventually, limited, response, settled
from tests.worker.stage import Stage

ISSUER = Issuer()
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    for name in ("a", "b"):
        ISSUER.write(made, name, f"{name}.test")
    return made


@pytest.fixture
def secured(staged: Callable[..., Stage], folder: Path) -> Callable[..., Stage]:
    """Return what makes a worker that speaks TLS; `tls` are further keys of [tls]."""

    def make(tls: dict[str, object] | None = None, **sections: dict[str, object]) -> Stage:
        sections["gproxy"] = {"bind": "", **sections.get("gproxy", {})}
        return staged(tls={"bind": "127.0.0.1:0", "certificates": folder, **(tls or {})}, **sections)

    return make


@pytest.fixture
def stage(secured: Callable[..., Stage]) -> Stage:
    return secured()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend(answers(response())) as made:
        yield made


def client_context(**changes: Any) -> Any:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ISSUER.pem.decode())
    context.set_alpn_protocols(["http/1.1"])
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def secure(peer: Peer, host: str = "a.test", context: Any = None, session: Any = None) -> Peer:
    """Shake hands over a connection that is open."""
    with limited():
        peer.sock = (context or client_context()).wrap_socket(peer.sock, server_hostname=host, session=session)
    return peer


def connect(stage: Stage, host: str = "a.test", **options: Any) -> Peer:
    return secure(stage.connect(), host, **options)


def shown(peer: Peer) -> list[str]:
    """Return the hosts of the certificate that the worker has shown."""
    return [name for _, name in peer.sock.getpeercert()["subjectAltName"]]


def seen(backend: Backend, stage: Stage, peer: Peer, request: bytes = GET) -> None:
    stage.proxy_to(backend)
    peer.send(request)
    assert peer.message()[1] == b"ok"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_over_tls(stage: Stage, backend: Backend, version: ssl.TLSVersion) -> None:
    peer = connect(stage, context=client_context(maximum_version=version))
    for _ in range(3):
        seen(backend, stage, peer)
    assert peer.sock.selected_alpn_protocol() == "http/1.1"
    assert (stage.cell(layout.HANDSHAKES), stage.requests()) == (1, 3)


def test_each_host_has_its_certificate(stage: Stage) -> None:
    assert shown(connect(stage, "a.test")) == ["a.test"]
    assert shown(connect(stage, "b.test")) == ["b.test"]
    other = connect(stage, "other.test", context=client_context(check_hostname=False))
    assert shown(other) == ["a.test"], "the first one"


def test_hosts_without_a_certificate_may_be_refused(secured: Callable[..., Stage]) -> None:
    stage = secured({"default_certificate": "none"})
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        connect(stage, "other.test")
    assert stage.cell(layout.FAILED_HANDSHAKES) == 1
    assert shown(connect(stage, "a.test")) == ["a.test"]
    eventually(lambda: len(stage.runtime.clients) == 1)


def test_the_oldest_version(secured: Callable[..., Stage]) -> None:
    stage = secured({"min_version": "1.3"})
    with pytest.raises(ssl.SSLError, match=r"(?i)version"):
        connect(stage, context=client_context(maximum_version=ssl.TLSVersion.TLSv1_2))
    assert connect(stage).sock.version() == "TLSv1.3"


def told(stage: Stage, peer: Peer, request: bytes = GET) -> bytes:
    """Return the head that a server gets."""
    heads: list[bytes] = []

    def script(server: Peer) -> None:
        heads.append(server.head())
        server.send(response())

    with Backend(script) as backend:
        seen(backend, stage, peer, request)
    return heads[0]


def test_servers_are_told_of_https(stage: Stage) -> None:
    head = told(stage, connect(stage))
    assert b"\r\nX-Forwarded-Proto: https\r\n" in head
    assert b'\r\nForwarded: for=127.0.0.1;proto=https;host="a.test"\r\n' in head
    assert b"Client-Cert" not in head


def identified(tmp_path: Path, subject: str = "alice", authority: Issuer = ISSUER, **options: Any) -> Any:
    """Return the context of a client that has a certificate."""
    file = tmp_path / "client.pem"
    file.write_bytes(authority.certificate(subject=subject, **options) + key_pem())
    context = client_context()
    context.load_cert_chain(file)
    return context


@pytest.fixture
def asking(secured: Callable[..., Stage], tmp_path: Path) -> Callable[..., Stage]:
    """Return what makes a worker that asks clients for certificates."""

    def make(how: str, **sections: Any) -> Stage:
        authorities = tmp_path / "authorities.pem"
        authorities.write_bytes(ISSUER.pem)
        return secured({"client_certificates": how, "client_ca_file": authorities}, **sections)

    return make


def test_servers_are_told_who_the_client_is(asking: Callable[..., Stage], tmp_path: Path) -> None:
    stage = asking("required")
    context = identified(tmp_path)
    peer = connect(stage, context=context)
    lie = b"GET / HTTP/1.1\r\nHost: a.test\r\nClient-Cert: :bGll:\r\nX-Client-Cert-Subject: CN=root\r\n\r\n"
    head = told(stage, peer, lie)
    own = ssl.PEM_cert_to_DER_cert((tmp_path / "client.pem").read_text().partition("-----BEGIN PRIVATE")[0])
    assert b"\r\nClient-Cert: :%b:\r\n" % base64.b64encode(own) in head
    assert b"\r\nX-Client-Cert-Subject: CN=alice\r\n" in head
    assert b"\r\nX-Client-Cert-Fingerprint: %b\r\n" % hashlib.sha256(own).hexdigest().encode() in head
    assert b"bGll" not in head
    assert b"root" not in head


def is_refused(stage: Stage, context: Any) -> bool:
    """Say whether a client with this context never gets an answer: with TLS 1.3 its own handshake succeeds."""
    try:
        peer = connect(stage, context=context)
        peer.send(GET)
        return peer.rest() == b""
    except OSError:
        return True


def test_clients_without_a_good_certificate(asking: Callable[..., Stage], tmp_path: Path) -> None:
    stage = asking("required")
    for context in (
        client_context(),
        client_context(maximum_version=ssl.TLSVersion.TLSv1_2),
        identified(tmp_path, authority=Issuer("Somebody else")),
        identified(tmp_path, days=-1),
    ):
        assert is_refused(stage, context)
    assert stage.cell(layout.FAILED_HANDSHAKES) == 4
    eventually(lambda: not stage.runtime.clients)


def test_a_certificate_may_be_optional(asking: Callable[..., Stage], tmp_path: Path) -> None:
    stage = asking("optional")
    assert b"Client-Cert" not in told(stage, connect(stage))
    assert b"Subject: CN=alice\r\n" in told(stage, connect(stage, context=identified(tmp_path)))
    assert is_refused(stage, identified(tmp_path, authority=Issuer("Somebody else")))


def test_a_trusted_proxy_speaks_for_its_clients(asking: Callable[..., Stage], tmp_path: Path) -> None:
    stage = asking("required", gproxy={"trusted_proxies": "127.0.0.1"})
    peer = connect(stage, context=identified(tmp_path, "proxy"))
    head = told(stage, peer, b"GET / HTTP/1.1\r\nHost: a.test\r\nClient-Cert: :dGhlaXJz:\r\n\r\n")
    assert b"\r\nClient-Cert: :dGhlaXJz:\r\n" in head
    assert head.count(b"Client-Cert") == 1
    assert b"Subject: CN=proxy\r\n" in told(stage, peer)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(stage: Stage, backend: Backend, version: ssl.TLSVersion) -> None:
    context = client_context(maximum_version=version)
    first = connect(stage, context=context)
    seen(backend, stage, first)  # the tickets of TLS 1.3 come with the first answer
    second = connect(stage, context=context, session=first.sock.session)
    seen(backend, stage, second)
    assert second.sock.session_reused
    assert (stage.cell(layout.HANDSHAKES), stage.cell(layout.RESUMED)) == (2, 1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_has_to_identify_does_so_every_time(
    asking: Callable[..., Stage], backend: Backend, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    stage = asking("required")
    context = identified(tmp_path)
    context.maximum_version = version
    first = connect(stage, context=context)
    seen(backend, stage, first)
    assert not first.sock.session.has_ticket
    second = connect(stage, context=context, session=first.sock.session)
    assert b"Subject: CN=alice\r\n" in told(stage, second)


def test_plain_http_is_answered_in_plain(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET)
    head, body = peer.message()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"This address speaks https." in body
    assert peer.rest() == b""
    eventually(lambda: not stage.runtime.clients)


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x00\x05hello", b"\0" * 100, b"SSH-2.0-x\r\n"])
def test_what_is_no_handshake_ends(stage: Stage, rubbish: bytes) -> None:
    peer = stage.connect()
    peer.send(rubbish)
    with contextlib.suppress(OSError):
        peer.rest()
    eventually(lambda: not stage.runtime.clients)
    assert stage.cell(layout.FAILED_HANDSHAKES) == 1


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_slow_handshake_ends_and_holds_nobody(secured: Callable[..., Stage], backend: Backend, first: bytes) -> None:
    stage = secured(timeouts={"handshake_s": 0.3})
    slow = stage.connect()
    slow.send(first)
    began_s = time.monotonic()
    seen(backend, stage, connect(stage))
    with contextlib.suppress(OSError):
        slow.rest()
    assert 0.2 < time.monotonic() - began_s < 5
    assert stage.cell(layout.SLOW_HANDSHAKES) == 1
    eventually(lambda: len(stage.runtime.clients) == 1)


def test_a_client_that_leaves_before_or_within_the_handshake(stage: Stage) -> None:
    for data in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
        for leave in (Peer.close, Peer.reset):
            peer = stage.connect()
            peer.send(data)
            leave(peer)
    eventually(lambda: stage.cell(layout.ACCEPTED) == 4 and not stage.runtime.clients)


def test_one_connection_too_many_is_closed(secured: Callable[..., Stage], backend: Backend) -> None:
    stage = secured(limits={"connections": 1})
    first = connect(stage)
    assert stage.connect().rest() == b""
    assert stage.cell(layout.REFUSED_CONNECTIONS) == 1
    seen(backend, stage, first)


def test_requests_that_come_together_are_all_answered(stage: Stage, backend: Backend) -> None:
    """Bytes that TLS has decrypted already raise no event of their own."""
    stage.proxy_to(backend)
    peer = connect(stage)
    peer.send(GET * 50)
    assert [peer.message()[1] for _ in range(50)] == [b"ok"] * 50
    body = b"x" * 3000
    post = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000\r\n\r\n"
    for split in (1, 100, 2999):
        peer.send(post + body[:split])
        settled(lambda: stage.cell(layout.ACTIVE))
        peer.send(body[split:] + GET)  # one record: the end of the body and the next request
        assert [peer.message()[1] for _ in range(2)] == [b"ok"] * 2


def test_large_bodies_both_ways(stage: Stage) -> None:
    size = 1_000_000

    def script(server: Peer) -> None:
        server.head()
        body = server.exactly(size)
        server.send(response(body))

    with Backend(script) as backend:
        stage.proxy_to(backend)
        peer = connect(stage)
        body = bytes(range(250)) * (size // 250)
        peer.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size + body)
        assert peer.message()[1] == body


def test_a_connection_ends_with_a_goodbye(stage: Stage, backend: Backend) -> None:
    stage.proxy_to(backend)
    peer = connect(stage)
    peer.sock.suppress_ragged_eofs = False
    peer.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
    assert peer.message()[1] == b"ok"
    assert peer.rest() == b"", "not an SSLEOFError"


def test_a_broken_answer_ends_without_one(stage: Stage) -> None:
    def script(server: Peer) -> None:
        server.head()
        server.send(b"HTTP/1.1 200 OK\r\n\r\nhalf an ans")
        server.reset()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        peer = connect(stage)
        peer.sock.suppress_ragged_eofs = False
        peer.send(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        with pytest.raises(OSError):  # noqa: PT011
            peer.rest()


def test_an_early_answer_is_not_lost_with_a_body_that_nobody_wants(secured: Callable[..., Stage]) -> None:
    stage = secured(limits={"body_bytes": 10})
    peer = connect(stage)
    peer.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 600000\r\n\r\n" + b"x" * 50_000)
    for _ in range(55):  # closing with unread bytes would reset the connection
        peer.send(b"x" * 10_000)
        gevent.idle()
    assert peer.head().startswith(b"HTTP/1.1 413 ")
    peer.close()
    eventually(lambda: not stage.runtime.clients)


def test_an_idle_client_that_says_goodbye_is_let_go(stage: Stage, backend: Backend) -> None:
    peer = connect(stage)
    seen(backend, stage, peer)
    gevent.spawn(peer.sock.unwrap)
    eventually(lambda: not stage.runtime.clients)


def test_draining_ends_new_and_idle_connections(secured: Callable[..., Stage]) -> None:
    stage = secured(timeouts={"head_s": 3})  # that long a connection without a request is kept
    silent, idle = stage.connect(), connect(stage)
    eventually(lambda: len(stage.runtime.clients) == 2)
    stage.runtime.drain()
    assert silent.rest() == b""
    with contextlib.suppress(OSError):
        idle.rest()
    eventually(lambda: not stage.runtime.clients)
