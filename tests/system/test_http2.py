"""HTTP/2 with the client of a library, over TLS and in the clear, through a running gateway."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness import content
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.pairs import Issuer
from tests.harness.site import documents
from tests.harness.waiting import eventually

ISSUER = Issuer()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("http2")
    certificates = folder / "certificates"
    certificates.mkdir()
    ISSUER.write(certificates, "a", "localhost")
    settings = {
        "gproxy": {"workers": 2, "http2": "all"},
        "tls": {"bind": "127.0.0.1:0", "certificates": certificates},
    }
    with EchoBackend() as echo, Gateway(folder, documents({"echo": echo.address}), settings) as running:
        yield running


def context(folder: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cadata=ISSUER.pem.decode())
    made.check_hostname = False
    return made


def client(gateway: Gateway, at: int) -> httpx.Client:
    """Return a client of an address of the gateway: 0 in the clear, 1 over TLS."""
    scheme = "https" if at else "http"
    host, port = gateway.addresses[at]
    return httpx.Client(
        http2=True, http1=bool(at), verify=context(gateway.folder), base_url=f"{scheme}://{host}:{port}", timeout=30
    )


@pytest.mark.parametrize("at", [0, 1])
def test_requests_of_a_library(gateway: Gateway, at: int) -> None:
    with client(gateway, at) as asking:
        for size in (0, 10, 300_000):
            body = b"x" * size
            answer = asking.post("/a?b=c", content=body)
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
            seen = answer.json()
            assert (seen["target"], seen["sha256"]) == ("/a?b=c", hashlib.sha256(body).hexdigest())
        assert asking.get("/bytes/1000000").content == content.body(1_000_000)
        assert asking.get("/chunked/300000").content == content.body(300_000)
        assert asking.get("/%00").status_code == 400


def test_many_at_a_time(gateway: Gateway) -> None:
    """Not from threads: before Python 3.13 two of them must not use one connection of ssl at the same time."""

    async def ask() -> list[list[int]]:
        host, port = gateway.addresses[1]
        base = f"https://{host}:{port}"
        async with httpx.AsyncClient(http2=True, verify=context(gateway.folder), base_url=base, timeout=30) as asking:

            async def some(first: int) -> list[int]:
                return [(await asking.get(f"/{number}")).status_code for number in range(first, 200, 20)]

            return await asyncio.gather(*map(some, range(20)))

    assert asyncio.run(ask()) == [[200] * 10] * 20
    stats = gateway.stats()["totals"]
    assert stats["http2_connections"] >= 1
    assert stats["http2_abuse"] == 0
    assert gateway.access_entry("/199")["protocol"] == "HTTP/2"


def test_a_reload_loses_none(gateway: Gateway) -> None:
    stop, lost = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            with client(gateway, 1) as asking:
                for _ in range(20):
                    status = asking.get("/").status_code
                    if status != 200:
                        lost.append(status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        before = gateway.worker_pids()
        gateway.signal(signal.SIGHUP)
        eventually(lambda before=before: len(pids := gateway.worker_pids()) == 2 and not pids & before, 60)
    stop.set()
    for thread in threads:
        thread.join()
    assert lost == []
