"""Upgrades of the real gateway under steady load: no request is lost, whatever happens meanwhile.

GPROXY_UPGRADES in the environment says how many there are in a row.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.harness.client import RawClient
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.load import Load
from tests.harness.orphans import adopted
from tests.harness.pairs import Issuer
from tests.harness.secure import SecureClient, trusting
from tests.harness.site import documents
from tests.harness.waiting import eventually
from tests.master.running import is_alive, wait_for_end

WORKERS = 2
TIMES = int(os.environ.get("GPROXY_UPGRADES", "2"))
BETWEEN = 50


@pytest.fixture(scope="module")
def backend() -> Iterator[EchoBackend]:
    with EchoBackend() as one:
        yield one


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend: EchoBackend, issuer: Issuer) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("upgrade")
    (folder / "certificates").mkdir()
    issuer.write(folder / "certificates", "a", "a.test")
    sections = {
        "gproxy": {"workers": WORKERS, "bind": f"127.0.0.1:0, unix:{folder}/g.sock"},
        "tls": {"bind": "127.0.0.1:0", "certificates": folder / "certificates"},
    }
    with adopted(), Gateway(folder, documents({"echo": backend.address}), sections) as running:
        yield running


def loads(gateway: Gateway, issuer: Issuer) -> list[Load]:
    """Return clients of every kind: keep-alive over TCP, a unix socket and TLS, and requests that are not repeated."""
    tcp, unix, tls = gateway.addresses
    trusted = trusting(issuer)
    return [
        Load(lambda: RawClient(tcp, 20), clients=3),
        Load(lambda: RawClient(tcp, 20), clients=2, method="POST"),
        Load(lambda: RawClient(unix, 20), clients=1),
        Load(lambda: SecureClient(tls, trusted, "a.test", within_s=20), clients=1),
    ]


def test_upgrades_in_a_row_lose_no_request(gateway: Gateway, backend: EchoBackend, issuer: Issuer) -> None:
    running = loads(gateway, issuer)
    before = gateway.stats()
    with ExitStack() as stack:
        for load in running:
            stack.enter_context(load)
        for _ in range(TIMES):
            old = gateway.upgrade()
            assert gateway.control_get("/readyz") == {"status": "ready"}
            for load in running:
                load.wait_for(BETWEEN)
            wait_for_end(old)
    assert [loss for load in running for loss in load.lost] == []
    after = gateway.stats()
    assert after["pid"] == gateway.pid
    assert after["upgrades"] - before["upgrades"] == TIMES
    answered = sum(load.done for load in running)
    assert after["totals"]["requests"] - before["totals"]["requests"] == answered
    assert after["revision"] == before["revision"]
    gateway.apply(documents({"echo": backend.address}, {"tags": ["changed"]}))  # the new sync follows the store


def test_connections_that_wait_in_the_queue_are_answered(gateway: Gateway) -> None:
    with gateway.frozen():
        waiting = [gateway.client(20) for _ in range(20)]
        for client in waiting:
            client.send(b"GET /queued HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
        gateway.upgrade()
    for client in waiting:
        with client:
            assert client.receive().status == 200


def test_a_broken_version_under_load_loses_nothing(gateway: Gateway) -> None:
    with Load(gateway.client) as load:
        gateway.configure({"gproxy": {"workers": "broken"}})
        gateway.signal(signal.SIGUSR2)
        eventually(lambda: "upgrade failed, this program goes on" in gateway.log(), 20)
        gateway.configure({"gproxy": {"workers": WORKERS}})
        load.wait_for(BETWEEN)
        gateway.upgrade()
        load.wait_for(BETWEEN)
    assert load.lost == []


def test_upgrades_and_reloads_at_once_lose_nothing(gateway: Gateway) -> None:
    with Load(gateway.client) as load:
        before = gateway.log().count(" replaced=")
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR2):
            gateway.signal(number)
            time.sleep(0.05)  # not a wait for anything: they come in the middle of one another
        eventually(lambda: gateway.log().count(" replaced=") >= before + 1, 30)
        gateway.follow()
        eventually(lambda: len(gateway.workers()) == WORKERS, 30)
        load.wait_for(BETWEEN)
        gateway.follow()
        gateway.upgrade()
        load.wait_for(BETWEEN)
    assert load.lost == []


@pytest.mark.parametrize("victim", ["old", "new"])
def test_a_master_that_is_killed_meanwhile_costs_no_request(gateway: Gateway, victim: str) -> None:
    old = psutil.Process(gateway.pid)
    with Load(gateway.client) as load:
        gateway.signal(signal.SIGUSR2)
        new = eventually(lambda: [child for child in old.children() if child.name() == "gproxy-master"], 20)[0]
        eventually(new.children, 20)
        (old if victim == "old" else new).kill()
        if victim == "old":
            wait_for_end(old.pid)
            eventually(lambda: f"replaced={old.pid}" in gateway.log(), 20)
            gateway.follow()
        else:
            eventually(lambda: 'upgrade failed, this program goes on reason="killed by SIGKILL"' in gateway.log(), 20)
        load.wait_for(4 * BETWEEN)
        eventually(lambda: len(gateway.workers()) == WORKERS, 30)
    assert load.lost == []
    assert is_alive(gateway.pid)
