import contextlib
import gc
import socket
import ssl
import struct
import weakref
from collections.abc import Iterator

import pytest

from gproxy.worker.client_wire import ClientWire
from tests.harness.pairs import Issuer, key_pem

ISSUER = Issuer()


class Line:
    """A worker's end and a client's, which is plain Python, joined by a handshake."""

    def __init__(self, context: ssl.SSLContext, front: ssl.SSLContext | None = None) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client_context.load_verify_locations(cadata=ISSUER.pem.decode())
        self.wire = ClientWire(ours, front or context)
        self.client = client_context.wrap_socket(
            theirs, server_hostname="a.test", do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        ends = [self.client, self.wire.tls]
        while ends:
            for end in list(ends):
                try:
                    end.do_handshake()
                    ends.remove(end)
                except ssl.SSLWantReadError:
                    pass
        self.client.setblocking(True)
        self.client.settimeout(10)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    file = tmp_path_factory.mktemp("pair") / "a.pem"
    file.write_bytes(ISSUER.certificate("a.test") + key_pem())
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


@pytest.fixture
def line(context: ssl.SSLContext) -> Iterator[Line]:
    made = Line(context)
    yield made
    made.client.close()
    made.wire.close()


def test_bytes_both_ways(line: Line) -> None:
    line.client.sendall(b"hello")
    assert line.wire.recv(3) == b"hel"
    assert line.wire.pending() == 2
    buffer = memoryview(bytearray(10))
    assert line.wire.recv_into(buffer) == 2
    assert bytes(buffer[:2]) == b"lo"
    with pytest.raises(ssl.SSLWantReadError):
        line.wire.recv(1)
    assert line.wire.send(b"answer") == 6
    assert line.client.recv(100) == b"answer"


def test_what_the_client_does_not_take_is_given_again(line: Line) -> None:
    data, got = bytes(range(256)) * 40_000, b""
    sent = line.wire.send(data)
    assert 0 < sent < len(data)
    with pytest.raises(ssl.SSLWantWriteError):
        line.wire.send(memoryview(data)[sent:])
    while len(got) < len(data):
        got += line.client.recv(1 << 20)
        if sent < len(data):
            with contextlib.suppress(ssl.SSLWantWriteError):
                sent += line.wire.send(memoryview(bytes(data))[sent:])
    assert sent == len(data)
    assert got == data


def test_the_connection_moves_to_another_certificate(context: ssl.SSLContext) -> None:
    front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def choose(tls: ssl.SSLObject, host: str | None, front: ssl.SSLContext) -> None:
        assert host == "a.test"
        tls.context = context

    front.sni_callback = choose
    line = Line(context, front)
    assert line.client.getpeercert()
    line.client.close()
    line.wire.close()


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_it_ends_with_a_goodbye(line: Line, how: str) -> None:
    line.wire.close() if how == "close" else line.wire.shutdown(socket.SHUT_WR)
    assert line.client.recv(1) == b""


def test_the_goodbye_of_the_client_is_an_end(line: Line) -> None:
    line.client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        line.client.unwrap()
    assert line.wire.recv(1) == b""
    assert line.wire.recv_into(memoryview(bytearray(1))) == 0


def test_a_reset_says_no_goodbye(line: Line) -> None:
    line.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.wire.close()
    with pytest.raises(OSError):  # noqa: PT011
        line.client.recv(1)


def test_it_may_end_before_the_handshake_is_done(context: ssl.SSLContext) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    wire = ClientWire(ours, context)
    wire.close()
    assert theirs.recv(100) == b""
    theirs.close()


def test_nothing_waits_for_the_garbage_collector(context: ssl.SSLContext) -> None:
    """What OpenSSL keeps for a connection is large: it must go with the last reference."""
    line = Line(context)
    line.client.close()
    line.wire.close()
    wire = weakref.ref(line.wire)
    gc.disable()
    try:
        del line
        assert wire() is None
    finally:
        gc.enable()
