"""How soon a change is in effect in every worker of three nodes, with etcd between, while requests flow.

With GPROXY_LARGE_TESTS in the environment the nodes have 8 workers each, changes go on for 30 s, and 10,000 objects are
loaded; else 2 workers, 4 s and 2,000 objects.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import Write
from gproxy.store.open import open_store
from tests.harness.echo import EchoBackend
from tests.harness.etcd import Etcd
from tests.harness.etcd_fleet import Fleet
from tests.harness.gateway import Gateway
from tests.harness.paced import Outcome, paced
from tests.harness.site import documents

LARGE = "GPROXY_LARGE_TESTS" in os.environ
WORKERS = 8 if LARGE else 2
NODES = 3
PER_S = 10
REQUESTS_PER_S = 50
SECONDS = 30 if LARGE else 4
OBJECTS = 10_000 if LARGE else 2_000


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture(scope="module")
def fleet(etcd: Etcd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {"gproxy": {"workers": WORKERS}}
    with EchoBackend() as echo:
        fleet = Fleet(tmp_path_factory.mktemp("fleet"), etcd.url(), documents({"echo": echo.address}), NODES, settings)
        yield fleet
        fleet.stop()


def table_of(gateway: Gateway) -> Table:
    """Attach to the shared memory of a gateway: looking at it costs the gateway nothing."""
    folder = Path(f"/proc/{gateway.pid}/fd")
    fd = min(link.name for link in folder.iterdir() if os.readlink(link).startswith("/memfd:gproxy "))
    return Table.attach(os.open(folder / fd, os.O_RDWR))


def lowest_revision(tables: list[Table]) -> int:
    """Return the oldest revision that any worker of these nodes runs."""
    return min(
        table.cells[table.base(slot) + layout.RUNNING_REVISION]
        for table in tables
        for slot in range(table.cells[layout.SLOTS_USED])
        if table.cells[table.base(slot) + layout.STATE] == layout.STATE_ACCEPTING
    )


def server(number: int, weight: int = 1) -> Write:
    document: dict[str, Any] = {"name": f"s{number}", "address": f"10.0.{number // 250}.{number % 250}:80"}
    return Write("server", f"s{number}", {**document, "weight": weight})


@contextmanager
def traffic(fleet: Fleet, seconds: float) -> Iterator[None]:
    """Send REQUESTS_PER_S to every node, not as much as it can take; every one must succeed."""
    outcomes: list[Outcome] = []

    def run(gateway: Gateway) -> None:
        assert isinstance(gateway.address, tuple)
        outcomes.append(paced(gateway.address, REQUESTS_PER_S, seconds, lambda _: "", connections=8))

    threads = [threading.Thread(target=run, args=(gateway,)) for gateway in fleet.gateways]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()
    assert [outcome.count(200) for outcome in outcomes] == [int(REQUESTS_PER_S * seconds)] * NODES


@pytest.mark.serial
@pytest.mark.timeout(600)
def test_changes_are_in_effect_everywhere_within_a_quarter_of_a_second(fleet: Fleet, etcd: Etcd) -> None:
    tables = [table_of(gateway) for gateway in fleet.gateways]
    took_ms: list[float] = []
    with traffic(fleet, SECONDS + 1.0), open_store(fleet.url) as store:
        begun = time.monotonic()
        for number in range(PER_S * SECONDS):
            time.sleep(max(0.0, begun + number / PER_S - time.monotonic()))
            asked = time.monotonic()
            revision = store.write([server(0, number % 500 + 1)], "test")
            while lowest_revision(tables) < revision:
                assert time.monotonic() - asked < 10
                time.sleep(0.001)
            took_ms.append(1000 * (time.monotonic() - asked))
    for table in tables:
        table.close()
    took_ms.sort()
    figures = f"p50 {took_ms[len(took_ms) // 2]:.0f} ms, p99 {took_ms[int(0.99 * len(took_ms))]:.0f} ms"
    print(f"{NODES} nodes of {WORKERS} workers, {PER_S} changes a second: {figures}")
    assert took_ms[int(0.99 * len(took_ms))] < 250, figures
    assert etcd.metric("etcd_debugging_mvcc_watcher_total") == NODES, "a watch per node, not per worker"


@pytest.mark.serial
@pytest.mark.timeout(600)
def test_many_objects_load_soon_and_one_change_among_them_stalls_nobody(fleet: Fleet) -> None:
    with open_store(fleet.url) as store:
        revision = store.write([server(number) for number in range(OBJECTS)], "test")
        fleet.until_all_run(revision, 60)
        with fleet.loaded():
            revision = store.write([server(5, 77)], "test")
            fleet.until_all_run(revision)
            lag_us = max(
                table.cells[table.base(slot) + layout.LOOP_LAG_US]
                for table in map(table_of, fleet.gateways)
                for slot in range(WORKERS)
            )
    fleet.gateways[0].stop()
    fleet.gateways[0] = fleet.started(0)
    fleet.until_all_run(revision)
    loaded = re.findall(r"snapshot in use revision=\d+ objects=(\d+)", fleet.gateways[0].log())
    assert int(loaded[-1]) >= OBJECTS
    names = ("gproxy-sync", "gproxy-worker0")
    children = [child for child in psutil.Process(fleet.gateways[0].pid).children() if child.name() in names]
    cpu_s = sum(child.cpu_times().user + child.cpu_times().system for child in children)
    print(f"{OBJECTS} objects: sync and a worker have used {cpu_s:.1f} s of CPU, loop lag {lag_us / 1000:.0f} ms")
    assert len(children) == len(names)
    assert cpu_s < 5
