import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gevent.socket
import pytest

from gproxy.core.backends import Endpoint, Tls
from gproxy.worker.connector import connector_for
from gproxy.worker.tls import TlsWire, client_context
from tests.worker.authority import Authority
from tests.worker.peer import Backend, Peer, limited

Connect = Callable[[Callable[[Peer], object]], TlsWire]


@pytest.fixture
def connected(authority: Authority) -> Iterator[Connect]:
    """Return what connects to a TLS server that runs a script."""
    with ExitStack() as stack:

        def connect(script: Callable[[Peer], object]) -> TlsWire:
            backend = stack.enter_context(Backend(script, tls=authority.server("127.0.0.1")))
            wire = connector_for(Endpoint.parse(backend.address, Tls(ca_file=authority.ca_file))).connect()
            assert isinstance(wire, TlsWire)
            stack.callback(wire.close)
            return wire

        yield connect


def once_readable(wire: TlsWire, read: Callable[[], Any]) -> Any:
    """Return what `read` gives as soon as there is something."""
    with limited():
        while True:
            try:
                return read()
            except ssl.SSLWantReadError:
                gevent.socket.wait_read(wire.fileno())


def test_contexts_are_made_once(authority: Authority) -> None:
    tls = Tls(ca_file=authority.ca_file)
    assert client_context(tls) is client_context(Tls(ca_file=authority.ca_file))
    assert client_context(tls) is not client_context(Tls(ca_file=authority.ca_file, verify=False))


@pytest.mark.parametrize("verify", [True, False])
def test_verification(verify: bool) -> None:
    context = client_context(Tls(verify=verify))
    assert context.check_hostname is verify
    assert context.verify_mode is (ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_files_that_are_no_certificates(authority: Authority) -> None:
    cert_file, _ = authority.client("x.example")
    with pytest.raises(ssl.SSLError):
        client_context(Tls(cert_file=cert_file, key_file=cert_file))
    with pytest.raises(ssl.SSLError):
        client_context(Tls(ca_file=__file__))


def test_bytes_that_are_not_there_yet(connected: Connect) -> None:
    wire = connected(lambda peer: peer.exactly(1))
    with pytest.raises(ssl.SSLWantReadError):
        wire.recv(10)
    with pytest.raises(ssl.SSLWantReadError):
        wire.recv_into(memoryview(bytearray(10)))


def test_decrypted_bytes_that_wait_are_told(connected: Connect) -> None:
    wire = connected(lambda peer: peer.send(b"abcdef"))
    assert once_readable(wire, lambda: wire.recv(2)) == b"ab"
    assert wire.pending() == 4
    buffer = memoryview(bytearray(10))
    assert wire.recv_into(buffer[:3]) == 3
    assert bytes(buffer[:3]) == b"cde"
    assert wire.pending() == 1


def test_an_honest_end(connected: Connect) -> None:
    wire = connected(lambda peer: peer.sock.unwrap())
    assert once_readable(wire, lambda: wire.recv(10)) == b""
    assert wire.recv_into(memoryview(bytearray(10))) == 0


def test_a_bare_end_of_the_stream_is_an_error(connected: Connect) -> None:
    # Anybody on the way could have sent it: a body that ends with the connection must not look complete.
    wire = connected(lambda peer: peer.close())
    with pytest.raises(OSError, match="EOF"):
        once_readable(wire, lambda: wire.recv(10))


def test_a_full_connection_says_what_it_waits_for(connected: Connect) -> None:
    wire = connected(lambda peer: peer.exactly(1 << 30))

    def send_and_send() -> None:
        for _ in range(10_000):
            assert wire.send(bytes(100_000)) > 0

    with pytest.raises((ssl.SSLWantWriteError, BlockingIOError)):
        send_and_send()
