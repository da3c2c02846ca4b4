import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask, request

from gadmin import serve
from gadmin.settings import load
from tests.harness.certificates import Certificates

LARGE = b"x" * 5_000_000
Address = tuple[str, int]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Address]:
    cert_file, key_file = certificates.client(tmp_path_factory.mktemp("tls"), "admin.test")
    app = Flask("test")
    app.add_url_rule("/", "index", lambda: request.scheme)
    app.add_url_rule("/large", "large", lambda: LARGE)
    app.add_url_rule("/length", "length", lambda: str(len(request.get_data())), methods=["POST"])
    overrides = {"bind": "127.0.0.1:0", "cert_file": str(cert_file), "key_file": str(key_file)}
    server = serve.listening(app, load(None, {"gadmin": overrides}).gadmin)
    assert server.address.startswith("https://")
    thread = threading.Thread(target=server.wsgi.run)
    thread.start()
    yield server.listener.socket.getsockname()
    server.wsgi.close()
    server.wsgi.task_dispatcher.shutdown()
    server.listener.close()
    thread.join(5)


@pytest.fixture
def client(address: Address, certificates: Certificates) -> Iterator[http.client.HTTPConnection]:
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    connection = http.client.HTTPConnection(*address, timeout=20)
    sock = socket.create_connection(address, timeout=20)
    connection.sock = context.wrap_socket(sock, server_hostname="admin.test")
    with contextlib.closing(connection):
        yield connection


def asked(client: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> bytes:
    client.request(method, path, body)
    response = client.getresponse()
    assert response.status == 200
    return response.read()


def test_requests_over_one_connection(client: http.client.HTTPConnection) -> None:
    assert [asked(client, "GET", "/") for _ in range(3)] == [b"https"] * 3


def test_large_answers_and_bodies_come_through_whole(client: http.client.HTTPConnection) -> None:
    assert asked(client, "GET", "/large") == LARGE
    assert asked(client, "POST", "/length", LARGE) == str(len(LARGE)).encode()
    assert asked(client, "GET", "/") == b"https"


def test_a_slow_handshake_holds_up_nobody(address: Address, client: http.client.HTTPConnection) -> None:
    with socket.create_connection(address) as silent, socket.create_connection(address) as slow:
        slow.sendall(b"\x16\x03\x01")
        began = time.monotonic()
        assert asked(client, "GET", "/") == b"https"
        assert time.monotonic() - began < 5
        assert silent.fileno() > 0


def test_what_is_no_tls_is_closed(address: Address) -> None:
    with socket.create_connection(address, timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1 200" not in b"".join(iter(lambda: plain.recv(4096), b""))


def test_a_client_that_leaves_in_the_middle_harms_nobody(address: Address, client: http.client.HTTPConnection) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for request_text in (b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /length HTTP/1.1\r\nContent-Length: 99\r\n"):
        with context.wrap_socket(socket.create_connection(address, timeout=5)) as leaving:
            leaving.sendall(request_text)
    assert asked(client, "GET", "/") == b"https"


def test_old_versions_of_tls_are_refused(address: Address) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(address, timeout=5) as sock, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(sock)
