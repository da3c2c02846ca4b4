"""Servers over TLS: what is verified, what is refused, and that bodies survive it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import content
from tests.harness.certificates import Certificates
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually
from tests.harness.wire import Ended


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def backend(certificates: Certificates) -> Iterator[EchoBackend]:
    with EchoBackend("tls", tls=certificates.server("backend.test", "127.0.0.1")) as backend:
        yield backend


@pytest.fixture(scope="module")
def demanding(certificates: Certificates) -> Iterator[EchoBackend]:
    """A server that wants a client certificate."""
    context = certificates.server("127.0.0.1", client_authority=certificates.ca_file)
    with EchoBackend("demanding", tls=context) as backend:
        yield backend


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    certificates: Certificates,
    backend: EchoBackend,
    demanding: EchoBackend,
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("tls")
    cert_file, key_file = certificates.client(folder, "gateway.test")
    trusting = {"ca_file": str(certificates.ca_file)}
    own = {"cert_file": str(cert_file), "key_file": str(key_file)}
    kinds: dict[str, tuple[EchoBackend, dict[str, Any]]] = {
        "good": (backend, trusting),
        "named": (backend, {**trusting, "server_name": "backend.test"}),
        "misnamed": (backend, {**trusting, "server_name": "other.test"}),
        "unknown-authority": (backend, {}),
        "unverified": (backend, {"verify": False}),
        "client-certificate": (demanding, {**trusting, **own}),
        "no-client-certificate": (demanding, trusting),
    }
    configuration = documents({name: server.address for name, (server, _) in kinds.items()}, server={"scheme": "https"})
    for server, (_, tls) in zip(configuration["servers"], kinds.values(), strict=True):
        if tls:
            server["tls"] = tls
    with Gateway(folder, configuration) as gateway:
        yield gateway


@pytest.mark.parametrize("kind", ["good", "named", "unverified", "client-certificate"])
def test_accepted(kind: str, gateway: Gateway) -> None:
    with gateway.client() as client:
        for _ in range(3):
            answer = client.get("/a", f"{kind}.test")
            assert answer.status == 200
            assert answer.json()["target"] == "/a"


@pytest.mark.parametrize("kind", ["misnamed", "unknown-authority", "no-client-certificate"])
def test_refused(kind: str, gateway: Gateway, backend: EchoBackend) -> None:
    backend.clear()
    with gateway.client() as client:
        answer = client.get("/a", f"{kind}.test")
    assert (answer.status, answer.json()["code"]) == (502, "bad_upstream")
    assert backend.requests == []


def test_connections_are_reused(gateway: Gateway) -> None:
    with gateway.client() as client:
        told = [client.get("/", "good.test").json() for _ in range(10)]
    assert len({one["connection"] for one in told}) <= 2


@pytest.mark.parametrize("kind", ["bytes", "chunked", "until-close"])
def test_downloads(kind: str, gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get(f"/{kind}/3000001", "good.test")
        assert (answer.size, answer.sha256) == (3_000_001, content.sha256(3_000_001))


def test_a_body_that_ends_without_the_goodbye_of_tls_is_not_whole(gateway: Gateway) -> None:
    """Anybody on the way can cut a connection, and only the goodbye tells that from its end (RFC 9112 9.8)."""
    with gateway.client() as client, pytest.raises((Ended, ConnectionError)):
        client.get("/cut/100", "good.test")


def test_uploads(gateway: Gateway) -> None:
    size = 3_000_001
    with gateway.client() as client:
        told = client.post("/", content.body(size), "good.test").json()
        assert (told["size"], told["sha256"]) == (size, content.sha256(size))
        client.send(b"POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in content.pieces(size)), b"0\r\n\r\n")
        told = client.receive().json()
        assert (told["size"], told["sha256"]) == (size, content.sha256(size))


def test_a_server_that_speaks_no_tls_is_a_bad_upstream(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    with EchoBackend("plain") as plain:
        configuration = documents({"plain": plain.address}, server={"scheme": "https"})
        with Gateway(folder, configuration) as own, own.client() as client:
            answer = client.get("/")
            assert (answer.status, answer.json()["code"]) == (502, "bad_upstream")
        plain.violations.clear()  # a TLS hello is no HTTP request


def test_an_idle_connection_that_the_server_closed_is_never_used(gateway: Gateway, backend: EchoBackend) -> None:
    with gateway.client() as client:
        for _ in range(5):
            assert client.post("/", b"body", "good.test").status == 200
            backend.drop_connections()
            eventually(lambda: backend.open_connections() == 0)
