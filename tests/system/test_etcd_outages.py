"""Everything that happens to an etcd, under steady load on the nodes that follow it: not one request fails.

With GPROXY_LARGE_TESTS in the environment, etcd stands still for 60 s instead of 4.
"""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.echo import EchoBackend
from tests.harness.etcd import Etcd, cluster, free_port
from tests.harness.etcd_fleet import Fleet
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually

STANDSTILL_S = 60.0 if "GPROXY_LARGE_TESTS" in os.environ else 4.0


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoBackend]:
    with EchoBackend() as backend:
        yield backend


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture(scope="module")
def fleet(etcd: Etcd, echo: EchoBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), etcd.url(), documents({"echo": echo.address}), 2)
    yield fleet
    fleet.stop()


def change(fleet: Fleet, weight: int) -> int:
    """Write something that is in effect everywhere afterwards."""
    revision = fleet.write("server", "other", address="127.0.0.1:1", weight=weight)
    fleet.until_all_run(revision)
    return revision


def readiness(gateway: Gateway) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*gateway.control, timeout=10)
    connection.request("GET", "/readyz")
    response = connection.getresponse()
    status, body = response.status, response.read().decode()
    connection.close()
    return status, body


def sync_pid(gateway: Gateway) -> int:
    return int(gateway.stats()["sync"]["pid"])


def test_killed_and_started_again(fleet: Fleet, etcd: Etcd) -> None:
    change(fleet, 1)
    with fleet.loaded():
        etcd.kill()
        fleet.until_sync_is("store_lost")
        for gateway in fleet.gateways:
            assert readiness(gateway)[0] == 200
            assert gateway.stats()["sync"]["store_seen_age_s"] >= 0
    victim, running = fleet.gateways[0], fleet.gateways[0].stats()["revision"]
    (before,) = victim.worker_pids()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: victim.worker_pids() - {before}, about="a new worker")
    with fleet.loaded():
        fleet.until_all_run(running)
        etcd.start()
        fleet.until_sync_is("following")
        change(fleet, 2)
    events = [event for event in fleet.gateways[1].control_get("/events")["events"] if event["kind"] == "store"]
    assert [event["to"] for event in events[-2:]] == ["lost", "followed"]


@pytest.mark.timeout(60 + 2 * STANDSTILL_S)
def test_stopped_without_a_word(fleet: Fleet, etcd: Etcd) -> None:
    with fleet.loaded():
        with etcd.frozen():
            fleet.until_sync_is("store_lost")
            time.sleep(STANDSTILL_S)
        change(fleet, 3)


def test_wiped_and_restored_from_a_snapshot(fleet: Fleet, etcd: Etcd, tmp_path: Path) -> None:
    revision = change(fleet, 4)
    etcd.save(tmp_path / "snapshot")
    with fleet.loaded():
        etcd.kill()
        etcd.wipe()
        etcd.start()
        for gateway in fleet.gateways:
            eventually(lambda gateway=gateway: "the store is empty, but older" in gateway.log(), 20)
        fleet.until_all_run(revision)
        etcd.kill()
        etcd.restore(tmp_path / "snapshot")
        etcd.start()
        assert change(fleet, 5) == revision + 1


def test_restarted_with_an_older_snapshot(fleet: Fleet, etcd: Etcd, tmp_path: Path) -> None:
    revision = change(fleet, 6)
    etcd.save(tmp_path / "snapshot")
    change(fleet, 7)
    change(fleet, 8)
    with fleet.loaded():
        etcd.kill()
        etcd.restore(tmp_path / "snapshot")
        etcd.start()
        fleet.until_all_run(revision)
        assert "the store went back to an older revision" in fleet.gateways[0].log()
        change(fleet, 9)


def test_compacted_while_a_node_does_not_listen(fleet: Fleet, etcd: Etcd) -> None:
    outages = fleet.gateways[0].log().count("cannot follow the store")
    with fleet.loaded():
        deaf = sync_pid(fleet.gateways[0])
        os.kill(deaf, signal.SIGSTOP)
        for weight in range(10, 15):
            revision = fleet.write("server", "other", address="127.0.0.1:1", weight=weight)
        etcd.ctl("compact", etcd.ctl("get", "x", "-w", "fields").split('"Revision" : ')[1].split()[0])
        etcd.ctl("defrag")
        os.kill(deaf, signal.SIGCONT)
        fleet.until_all_run(revision)
        change(fleet, 15)
    assert fleet.gateways[0].log().count("cannot follow the store") == outages, "it was no outage"


def test_a_password_that_is_wrong_all_of_a_sudden(fleet: Fleet, etcd: Etcd) -> None:
    with fleet.loaded():
        etcd.ctl("user", "add", "root:secret")
        etcd.ctl("user", "grant-role", "root", "root")
        etcd.ctl("auth", "enable")
        try:
            for gateway in fleet.gateways:
                eventually(lambda gateway=gateway: "it wants a user name and a password" in gateway.log(), 20)
            fleet.until_sync_is("store_lost")
        finally:
            etcd.ctl("--user", "root:secret", "auth", "disable")
        fleet.until_sync_is("following")
        change(fleet, 16)


def test_nodes_start_with_their_last_good_configuration_while_etcd_is_down(fleet: Fleet, etcd: Etcd) -> None:
    revision = change(fleet, 17)
    etcd.kill()
    fleet.gateways[0].stop()
    fleet.gateways[0] = fleet.started(0)
    fleet.until_all_run(revision)
    assert readiness(fleet.gateways[0])[0] == 200
    with fleet.loaded():
        etcd.start()
        fleet.until_sync_is("following")
        change(fleet, 18)


def test_without_etcd_and_without_a_last_good_one_it_waits(echo: EchoBackend, tmp_path: Path) -> None:
    with Etcd(tmp_path) as etcd:
        url = etcd.url()
        Fleet(tmp_path, url, documents({"echo": echo.address}), 1).stop()
        etcd.kill()
        fleet = Fleet(tmp_path / "new", url, None, 1)
        try:
            (gateway,) = fleet.gateways
            fleet.until_sync_is("nothing_to_serve")
            status, body = readiness(gateway)
            assert (status, "the store cannot be reached" in body) == (503, True)
            with gateway.client() as client:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = client.receive()
            assert (answer.status, b'"code": "no_configuration"' in answer.body) == (503, True), answer.body
            etcd.start()
            eventually(lambda: readiness(gateway)[0] == 200, 20)
            with fleet.loaded():
                pass
        finally:
            fleet.stop()


def fill(etcd: Etcd) -> None:
    for number in range(40):
        etcd.ctl("put", f"/fill/{number}", "x" * 20_000)


def test_a_full_disk(echo: EchoBackend, tmp_path: Path) -> None:
    with Etcd(tmp_path, options=["--quota-backend-bytes", "200000"]) as etcd:
        fleet = Fleet(tmp_path / "fleet", etcd.url(), documents({"echo": echo.address}), 1)
        try:
            with fleet.loaded():
                with pytest.raises(AssertionError, match="space exceeded"):
                    fill(etcd)
                eventually(lambda: "its disk quota is used up" in fleet.gateways[0].log(), 20)
                assert fleet.gateways[0].stats()["sync"]["state"] == "following"
                etcd.ctl("del", "--prefix", "/fill/")
                etcd.ctl("compact", etcd.ctl("get", "x", "-w", "fields").split('"Revision" : ')[1].split()[0])
                etcd.ctl("defrag")
                etcd.ctl("alarm", "disarm")
                change(fleet, 2)
        finally:
            fleet.stop()


def test_a_cluster_that_loses_one_member_and_then_another(echo: EchoBackend, tmp_path: Path) -> None:
    with cluster(tmp_path) as members:
        url = f"etcd://{','.join(member.endpoint for member in members)}/gw"
        fleet = Fleet(tmp_path / "fleet", url, documents({"echo": echo.address}), 1)
        try:
            with fleet.loaded():
                members[0].kill()
                change(fleet, 1)
                members[1].kill()
                fleet.until_sync_is("store_lost")
                assert readiness(fleet.gateways[0])[0] == 200
                members[0].start(wait=False)
                fleet.until_sync_is("following", 30)
                change(fleet, 2)
        finally:
            fleet.stop()


def test_an_endpoint_that_never_was_there_does_not_matter(echo: EchoBackend, etcd: Etcd, tmp_path: Path) -> None:
    url = f"etcd://127.0.0.1:{free_port()},{etcd.endpoint}/other"
    fleet = Fleet(tmp_path, url, documents({"echo": echo.address}), 1)
    try:
        change(fleet, 1)
    finally:
        fleet.stop()
