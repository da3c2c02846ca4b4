import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.socket
import pytest

from gproxy.core.backends import Endpoint, Tls
from gproxy.worker.connector import connector_for
from gproxy.worker.tls import TlsWire
from tests.worker.authority import Authority
from tests.worker.peer import Backend, Peer, limited


def echo(peer: Peer) -> None:
    peer.send(peer.exactly(4))


def connect(address: str, tls: Tls | None = None) -> socket.socket | TlsWire:
    with limited():
        return connector_for(Endpoint.parse(address, tls)).connect()


def ping(wire: socket.socket | TlsWire) -> None:
    """Check that bytes go there and back."""
    try:
        wire.send(b"ping")
        data = b""
        with limited():
            while len(data) < 4:
                gevent.socket.wait_read(wire.fileno())
                with suppress(ssl.SSLWantReadError):  # TLS had something to say to itself
                    data += wire.recv(4)
        assert data == b"ping"
    finally:
        wire.close()


def test_tcp() -> None:
    with Backend(echo) as backend:
        wire = connect(backend.address)
        assert isinstance(wire, socket.socket)
        assert wire.getblocking() is False
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        ping(wire)


def test_unix_socket(tmp_path: Path) -> None:
    with Backend(echo, path=tmp_path / "s") as backend:
        wire = connect(backend.address)
        assert wire.getblocking() is False  # type: ignore[union-attr]
        ping(wire)


def test_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        wire = connect(f"[::1]:{listener.getsockname()[1]}")
        accepted, _ = listener.accept()
        assert accepted.getpeername()[:2] == wire.getsockname()[:2]  # type: ignore[union-attr]
        accepted.close()
        wire.close()


def test_a_host_name_is_resolved_and_each_address_tried() -> None:
    with Backend(echo) as backend:  # listens on IPv4 only
        ping(connect(backend.address.replace("127.0.0.1", "localhost")))


def test_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:{1}".format(*listener.getsockname())
    with pytest.raises(ConnectionRefusedError):
        connect(address)
    with pytest.raises(FileNotFoundError):
        connect(f"unix:{tmp_path}/nobody")


def test_tls(authority: Authority) -> None:
    with Backend(echo, tls=authority.server("127.0.0.1")) as backend:
        wire = connect(backend.address, Tls(ca_file=authority.ca_file))
        assert isinstance(wire, TlsWire)
        assert wire.sock.gettimeout() == 0
        assert wire.sock.version() == "TLSv1.3"
        assert wire.sock.selected_alpn_protocol() == "http/1.1"
        assert wire.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        ping(wire)


def test_tls_over_a_unix_socket(authority: Authority, tmp_path: Path) -> None:
    with Backend(echo, path=tmp_path / "s", tls=authority.server("inner.example")) as backend:
        ping(connect(backend.address, Tls(ca_file=authority.ca_file, server_name="inner.example")))


def test_the_name_of_a_server_may_be_given(authority: Authority) -> None:
    with Backend(echo, tls=authority.server("users.example")) as backend:
        ping(connect(backend.address, Tls(ca_file=authority.ca_file, server_name="users.example")))
        with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.1"):
            connect(backend.address, Tls(ca_file=authority.ca_file))
        with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"):
            connect(backend.address, Tls(ca_file=authority.ca_file, server_name="other.example"))


def test_an_unknown_authority_is_refused_unless_nobody_looks(authority: Authority) -> None:
    with Backend(echo, tls=authority.server("127.0.0.1")) as backend:
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            connect(backend.address, Tls())
        ping(connect(backend.address, Tls(verify=False)))
        ping(connect(backend.address, Tls(verify=False, server_name="any.example")))


def test_client_certificates(authority: Authority) -> None:
    cert_file, key_file = authority.client("gateway.example")
    with Backend(echo, tls=authority.server("127.0.0.1", asks_for_certificate=True)) as backend:
        tls = Tls(ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file)
        ping(connect(backend.address, tls))
        with pytest.raises(ssl.SSLError):  # TLS 1.3 tells at the first read
            ping(connect(backend.address, Tls(ca_file=authority.ca_file)))


def test_a_server_without_tls() -> None:
    with Backend(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as backend, pytest.raises(ssl.SSLError):
        connect(backend.address, Tls(verify=False))


@pytest.mark.parametrize(
    "tls", [Tls(ca_file="/nowhere/ca.pem"), Tls(cert_file="/nowhere/c.pem", key_file="/nowhere/k.pem")]
)
def test_certificate_files_that_are_not_there(tls: Tls) -> None:
    with pytest.raises(FileNotFoundError):
        connect("127.0.0.1:1", tls)


def test_a_name_is_looked_up_once_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = [], gevent.event.Event()

    def look_up(host: str, port: int, *_: object) -> list[Any]:
        asked.append(host)
        may_answer.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(gevent.socket, "getaddrinfo", look_up)
    with Backend(echo) as backend:
        connector = connector_for(Endpoint.parse(f"name.test:{backend.address.rpartition(':')[2]}", None))
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
            connector.connect()
        waiting = [gevent.spawn(connector.connect) for _ in range(20)]
        gevent.idle()
        may_answer.set()
        with limited():
            for connected in waiting:
                ping(connected.get())
            assert asked == ["name.test"]
            ping(connector.connect())
        assert asked == ["name.test"] * 2


def test_a_name_that_there_is_not_is_told_to_all_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look_up(*arguments: object) -> list[Any]:
        asked.append(arguments[0])
        gevent.sleep(0)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(gevent.socket, "getaddrinfo", look_up)
    connector = connector_for(Endpoint.parse("name.test:80", None))
    for times in (1, 2):
        waiting = [gevent.spawn(connector.connect) for _ in range(3)]
        with limited():
            gevent.joinall(waiting)
        assert [type(failed.exception) for failed in waiting] == [socket.gaierror] * 3
        assert len(asked) == times
