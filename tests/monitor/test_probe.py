"""The probe against real servers that are well, and wrong in every way a server can be."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent.socket
import pytest
from geventhttpclient.connectionpool import ConnectionPool

from gproxy.core.backends import Endpoint, Tls
from gproxy.core.health_check import Check, Fault, compile_check
from gproxy.core.model import normalised
from gproxy.core.model.protection import HealthCheck
from gproxy.monitor.probe import MOST_HEAD_BYTES, Transcript, probe
from tests.harness.backend import ScriptedBackend, Step
from tests.harness.certificates import Certificates
from tests.harness.exchange import Exchange

HOST = b"Host: backend.test\r\n"


def check(**fields: Any) -> Check:
    made = compile_check(normalised(HealthCheck.model_validate({"timeout_s": 5} | fields)), HOST)
    assert made is not None
    return made


def asked(address: str, tls: Tls | None = None, **fields: Any) -> Transcript:
    return probe(Endpoint.parse(address, tls), check(**fields))


@pytest.fixture
def backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend() as made:
        yield made


@pytest.fixture
def refusing() -> Iterator[str]:
    """An address where connecting is refused, and that nobody else gets meanwhile."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{reserved.getsockname()[1]}"


def answer(head: str, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n\r\n%b" % (head.replace("\n", "\r\n").encode(), body)


def test_a_server_that_is_well(backend: ScriptedBackend) -> None:
    backend.play(answer("200 OK\nContent-Length: 2\nX-A: b", b"OK"))
    seen = asked(backend.address, path="/up", expect_body="OK", headers={"X-Key": "1"})
    assert (seen.is_well, seen.kind, seen.fault, seen.status) == (True, None, "", 200)
    assert seen.request.startswith("GET /up HTTP/1.1\r\nHost: backend.test\r\n")
    assert seen.request.endswith("X-Key: 1\r\nConnection: close\r\n\r\n")
    assert seen.head == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b"
    assert seen.body == "OK"
    assert seen.connected_ms is not None
    assert seen.answered_ms is not None
    assert 0 < seen.connected_ms <= seen.answered_ms <= seen.ended_ms
    assert backend.violations == []


@pytest.mark.parametrize(
    "steps",
    [
        [answer("200 OK\nTransfer-Encoding: chunked", b"1\r\nO\r\n1\r\nK\r\n0\r\n\r\n")],
        [answer("200 OK", b"OK"), Exchange.close],
        [answer("103 Early Hints\nLink: </a>"), answer("200 OK\nContent-Length: 2", b"OK")],
        [answer("200 OK\nContent-Length: 2", b"OK") + b"HTTP/1.1 500 Late\r\n\r\n"],
        [answer("200 OK\nContent-Length: 2"), b"O", b"K"],
        [answer("200 OK\nContent-Length: 70000", b"OK" + b"." * 69_998)],
    ],
    ids=["chunked", "until_close", "interim", "more_behind", "in_pieces", "large"],
)
def test_answers_that_are_right(backend: ScriptedBackend, steps: list[Step]) -> None:
    backend.play(*steps)
    seen = asked(backend.address, expect_body="OK")
    assert (seen.fault, seen.status) == ("", 200)
    assert seen.body.startswith("OK")
    assert len(seen.body) <= 1024
    assert seen.head.startswith("HTTP/1.1 200 OK")


def test_answers_without_a_body(backend: ScriptedBackend) -> None:
    backend.play(answer("200 OK\nContent-Length: 100"))
    assert asked(backend.address, method="HEAD").is_well
    backend.play(answer("204 No Content"))
    assert asked(backend.address, expect_status="204").is_well


@pytest.mark.parametrize(
    ("steps", "kind", "fault"),
    [
        ([answer("500 No\nContent-Length: 4", b"oops")], Fault.STATUS, "status 500, expected 200"),
        ([answer("301 Go\nLocation: /up\nContent-Length: 0")], Fault.STATUS, "status 301, expected 200"),
        ([answer("200 OK\nContent-Length: 2", b"no")], Fault.BODY, "the body does not match 'OK'"),
        ([answer("200 OK\nContent-Length: 5", b"OK"), Exchange.close], Fault.BROKEN, "closed before the end of"),
        ([b"HTTP/1.1 200 O", Exchange.close], Fault.BROKEN, "closed before the end of the answer"),
        ([answer("103 Early Hints"), Exchange.close], Fault.BROKEN, "closed before the end of the answer"),
        ([Exchange.close], Fault.BROKEN, "closed without an answer"),
        ([Exchange.reset], Fault.BROKEN, "connection reset by peer"),
        ([b"SSH-2.0-OpenSSH\r\n", Exchange.wait_gone], Fault.INVALID, "not a valid answer: "),
        ([answer("200 OK\nX: " + "a" * MOST_HEAD_BYTES), Exchange.wait_gone], Fault.INVALID, "not a valid answer: "),
    ],
)
def test_answers_that_are_wrong(backend: ScriptedBackend, steps: list[Step], kind: Fault, fault: str) -> None:
    backend.play(*steps)
    seen = asked(backend.address, expect_body="OK")
    assert (seen.is_well, seen.kind) == (False, kind)
    assert seen.fault.startswith(fault)


def test_what_came_is_kept_when_it_was_wrong(backend: ScriptedBackend) -> None:
    backend.play(answer("500 No\nX-Why: db", b"no database"), Exchange.close)
    seen = asked(backend.address)
    assert (seen.status, seen.head, seen.body) == (500, "HTTP/1.1 500 No\r\nX-Why: db", "no database")


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([Exchange.wait_gone], "no answer within 0.1 s"),
        ([b"HTTP/1.1 200 OK\r\n", Exchange.wait_gone], "no complete answer within 0.1 s"),
        ([answer("200 OK\nContent-Length: 5", b"OK"), Exchange.wait_gone], "no complete answer within 0.1 s"),
    ],
)
def test_servers_that_are_too_slow(backend: ScriptedBackend, steps: list[Step], fault: str) -> None:
    backend.play(*steps)
    seen = asked(backend.address, timeout_s=0.1)
    assert (seen.kind, seen.fault) == (Fault.TIMEOUT, fault)
    assert 100 <= seen.ended_ms < 5_000


def test_an_answer_without_end_is_looked_at_as_far_as_is_read(backend: ScriptedBackend) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.send(answer("200 OK\nTransfer-Encoding: chunked"))
        while exchange.send(b"400\r\n%b\r\n" % (b"." * 1024)):
            pass
        exchange.is_open = False

    backend.default = endless
    assert asked(backend.address).is_well
    assert asked(backend.address, expect_body="~[^.]").kind is Fault.BODY


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_nobody_listens(kind: str, refusing: str) -> None:
    seen = asked(refusing, type=kind)
    assert (seen.kind, seen.fault) == (Fault.CONNECT, "cannot connect: connection refused")
    assert seen.connected_ms is None


def test_a_name_that_nobody_knows() -> None:
    seen = asked("nobody.invalid:80")
    assert seen.kind is Fault.CONNECT
    assert seen.fault.startswith("the name cannot be resolved")


def test_tcp_asks_nothing(backend: ScriptedBackend) -> None:
    seen = asked(backend.address, type="tcp")
    assert (seen.is_well, seen.request, seen.head, seen.answered_ms) == (True, "", "", None)
    assert backend.heads == []


def test_a_server_that_does_not_accept() -> None:
    """A full queue of connections: the kernel drops what comes."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        seen = asked(f"127.0.0.1:{listener.getsockname()[1]}", type="tcp", timeout_s=0.1)
    assert (seen.kind, seen.fault) == (Fault.TIMEOUT, "no connection within 0.1 s")


class SelfConnected(ConnectionPool):
    """Connects like a client whose port the kernel has chosen to be that of the server."""

    def _create_socket(self) -> Any:
        sock = gevent.socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        return sock


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_socket_connected_with_itself_is_no_server(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.monitor.probe.connector_for", lambda endpoint: SelfConnected("a", 1, "a", 1))
    assert asked("127.0.0.1:1", type=kind).fault == "cannot connect: connection refused"


def test_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    assert asked(f"unix:{path}").fault == "cannot connect: no such file or directory"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert asked(f"unix:{path}", type="tcp").fault == "cannot connect: connection refused"
        listener.listen()
        assert asked(f"unix:{path}", type="tcp").is_well


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("kind", ["http", "tcp"])
@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (lambda ca: Tls(ca_file=ca), ""),
        (lambda ca: Tls(ca_file=ca, server_name="backend.test"), ""),
        (lambda ca: Tls(ca_file=ca, server_name="other.test"), "TLS: Hostname mismatch"),
        (lambda ca: Tls(), "TLS: unable to get local issuer certificate"),
        (lambda ca: Tls(verify=False), ""),
        (lambda ca: Tls(ca_file=ca + ".gone"), "cannot connect: no such file or directory"),
    ],
    ids=["good", "named", "misnamed", "unknown_authority", "unverified", "no_file"],
)
def test_tls(certificates: Certificates, kind: str, options: Callable[[str], Tls], fault: str) -> None:
    with ScriptedBackend(tls=certificates.server("backend.test", "127.0.0.1")) as backend:
        backend.default = [answer("200 OK\nContent-Length: 2", b"OK")]
        seen = asked(backend.address, options(str(certificates.ca_file)), type=kind)
    assert seen.fault.startswith(fault)
    assert seen.is_well == (not fault)


def test_plain_text_where_tls_is_spoken(backend: ScriptedBackend) -> None:
    backend.on_connect = lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert asked(backend.address, Tls(verify=False)).kind is Fault.TLS
