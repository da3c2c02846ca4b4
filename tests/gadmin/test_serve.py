import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask, request

from gadmin import serve
from gadmin.serve import ServeError
from gadmin.settings import GadminSection, load
from scripts.processes import free_ports


def section(**values: str) -> GadminSection:
    return load(None, {"gadmin": {"bind": "127.0.0.1:0", **values}}).gadmin


@contextmanager
def serving(app: Flask, **values: str) -> Iterator[serve.Server]:
    server = serve.listening(app, section(**values))
    thread = threading.Thread(target=server.wsgi.run)
    thread.start()
    yield server
    server.wsgi.close()
    server.wsgi.task_dispatcher.shutdown()
    server.listener.close()
    thread.join(5)


def app_that_tells() -> Flask:
    app = Flask("test")
    app.add_url_rule("/", "index", lambda: f"{request.scheme} {request.remote_addr} {request.host}")
    return app


def ask(address: str, *fields: str) -> str:
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        lines = ["GET / HTTP/1.1", "Host: admin.test", "Connection: close", *fields, "", ""]
        client.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def test_it_serves_where_it_is_told_and_names_nothing_of_itself() -> None:
    with serving(app_that_tells()) as server:
        answer = ask(server.address)
    assert answer.endswith("http 127.0.0.1 admin.test")
    assert "waitress" not in answer.lower()


def test_a_body_that_nobody_will_take_is_not_even_received() -> None:
    app = app_that_tells()
    app.config["MAX_CONTENT_LENGTH"] = 1000
    with serving(app) as server:
        assert ask(server.address, "Content-Length: 2001").startswith("HTTP/1.1 413 ")


def test_forwarded_fields_are_believed_only_from_the_proxy() -> None:
    fields = ("X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.test")
    with serving(app_that_tells()) as server:
        assert ask(server.address, *fields).endswith("http 127.0.0.1 admin.test")
    with serving(app_that_tells(), trusted_proxy="127.0.0.1") as server:
        assert ask(server.address, *fields).endswith("https 192.0.2.9 public.test")


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with serving(app_that_tells(), bind=f"unix:{path}") as server, socket.socket(socket.AF_UNIX) as client:
        assert server.address == f"unix:{path}"
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 OK" in client.recv(65536)


def test_a_port_that_is_taken_is_told() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ServeError, match="is in use by another program"):
        serve.listening(Flask("test"), section(bind=f"127.0.0.1:{port}"))


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "wrong.pem").write_text("no certificate")
    for name, reason in (("none.pem", "No such file"), ("wrong.pem", "cert_file")):
        file = str(tmp_path / name)
        with pytest.raises(ServeError, match=f"cert_file .*{name}.*{reason}|{reason}"):
            serve.listening(Flask("test"), section(cert_file=file, key_file=file))


def test_run_ends_with_a_signal() -> None:
    server = serve.listening(app_that_tells(), section())
    before = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)
    }
    threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGTERM)).start()
    try:
        serve.run(server)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with pytest.raises(OSError, match="refused"):
        ask(server.address)
