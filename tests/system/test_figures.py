"""Figures of a running gateway: what was asked is counted, and no death of a worker takes anything back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gproxy.core.histogram import BUCKETS
from gproxy.monitor.rows import RowReader
from gproxy.shared import layout
from gproxy.shared.table import Table, now_ms
from gproxy.worker.record import Recorder
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.load import Load
from tests.harness.memory import table_of
from tests.harness.site import documents
from tests.harness.waiting import eventually

#: of the recorder alone
KILLS = 40 if "GPROXY_LARGE_TESTS" in os.environ else 20

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with (
        EchoBackend() as echo,
        Gateway(tmp_path, documents({"echo": echo.address}), {"gproxy": {"workers": 2}}) as gateway,
    ):
        yield gateway


def metrics(gateway: Gateway) -> Series:
    """Return what Prometheus would read."""
    text = gateway.control_text("/metrics")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def object_named(gateway: Gateway, kind: str, name: str) -> dict[str, Any]:
    """Return what /stats tells of an object, waiting until it does: the monitor follows a little later."""

    def find() -> list[dict[str, Any]]:
        return [one for one in gateway.stats()[kind] if one["name"] == name]

    return eventually(find, about=f"{name} is told of")[0]


def test_requests_are_told_everywhere(gateway: Gateway) -> None:
    with gateway.client() as client:
        for _ in range(5):
            assert client.get("/x").status == 200
    eventually(lambda: object_named(gateway, "apis", "echo")["requests"] == 5)
    api, server = object_named(gateway, "apis", "echo"), object_named(gateway, "servers", "echo")
    assert api["status_2xx"] == server["status_2xx"] == 5
    assert api["latency_ms"]["start"]["p50"] >= server["latency_ms"]["start"]["p50"] > 0
    series = metrics(gateway)
    assert series["gproxy_requests_total", (("api", "echo"), ("code_class", "2xx"))] == 5
    assert series["gproxy_server_request_duration_seconds_count", (("server", "echo"),)] == 5
    said = gateway.ctl("status", "--once", "--control", "{}:{}".format(*gateway.control))
    assert "ready" in said.splitlines()[0]
    assert "SERVER" in said
    applied = [event for event in gateway.control_get("/events")["events"] if event["kind"] == "snapshot"]
    assert applied[-1]["cause"] == "applied"


def test_a_deleted_object_is_told_of_no_more_and_its_successor_begins_at_zero(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.get("/x")
    assert object_named(gateway, "servers", "echo")
    gateway.apply(documents({"other": "127.0.0.1:1"}))
    eventually(lambda: [one["name"] for one in gateway.stats()["servers"]] == ["other"])
    assert object_named(gateway, "servers", "other")["requests"] == 0
    names = {value for _, labels in metrics(gateway) for key, value in labels if key in ("api", "server")}
    assert names == {"other"}


def test_killed_workers_take_nothing_back(gateway: Gateway) -> None:
    table = table_of(gateway.pid)
    reader = RowReader(table)
    rows = range(table.cells[layout.ROWS_USED])
    before: list[int] = []

    def look() -> list[int]:
        """Return all counters, after checking that none has fallen."""
        nonlocal before
        now = [table.total(cell) for cell in layout.COUNTER_NAMES.values()]
        for row in rows:
            cells = reader.cells(row)
            now += [cells[cell] for cell in layout.ROW_COUNTER_NAMES.values()] + reader.histogram(row)
        assert all(old <= new for old, new in zip(before, now, strict=bool(before)))
        before = now
        return now

    def kill_one(load: Load, number: int) -> None:
        goal = load.done + 50
        eventually(lambda: look() and load.done >= goal)
        os.kill(gateway.worker_pids().pop(), signal.SIGKILL)
        eventually(lambda: look() and table.cells[layout.WORKER_RESTARTS] == number)
        eventually(lambda: look() and len(gateway.worker_pids()) == 2)

    kills = 2
    with Load(gateway.client, clients=4) as load:
        for number in range(kills):
            kill_one(load, number + 1)
        load.wait_for(50)
    eventually(lambda: not any(table.row_total(row, layout.ROW_ACTIVE) for row in rows), about="nothing is in flight")
    counted = [row for row in rows if sum(reader.histogram(row))]
    assert len(counted) == 2, "the API and the server; a cluster has a row for its events"
    for row in counted:
        cells, times = reader.cells(row), sum(reader.histogram(row))
        over = sum(cells[cell] for cell in layout.ROW_OUTCOMES)
        assert over >= load.done, "every answer that a client saw is counted"
        assert abs(over - times) <= kills, "a kill tears at most one request"
    assert table.total(layout.ACTIVE) == 0
    table.close()
    causes = [event["cause"] for event in gateway.control_get("/events")["events"] if event["object"] == "worker"]
    assert causes == ["killed", "replaced"] * kills


def test_a_kill_at_any_moment_tears_at_most_one_request() -> None:
    """The recorder alone, as fast as it can, killed again and again in the middle of its work."""
    table = Table.create(slots=1, rows=4)
    reader, chance = RowReader(table), random.Random(7)
    table.cells[layout.ROWS_USED] = 2
    before: list[int] = []
    for kills in range(1, KILLS + 1):
        table.claim(0)
        worker = os.fork()
        if worker == 0:
            _record_for_ever(Recorder(table, 0, None))
        eventually(lambda: table.cells[table.base(0) + layout.HEARTBEAT] == 1)
        until = time.perf_counter() + chance.random() * 0.003
        while time.perf_counter() < until:
            pass
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        table.release(0)
        now = [table.total(cell) for cell in layout.OUTCOMES]
        for row in (0, 1):
            cells, times = reader.cells(row), reader.histogram(row)
            assert cells[layout.ROW_ACTIVE] == 0
            now += [cells[cell] for cell in layout.ROW_COUNTER_NAMES.values()] + times
            assert abs(sum(cells[cell] for cell in layout.ROW_OUTCOMES) - sum(times)) <= kills
        assert all(old <= new for old, new in zip(before, now, strict=bool(before)))
        before = now
    base = table.slot_histogram_base(0)
    assert abs(sum(table.cells[base : base + BUCKETS]) - sum(before[: len(layout.OUTCOMES)])) <= KILLS
    table.close()


def _record_for_ever(recorder: Recorder) -> None:
    """Be a worker whose requests take no time; the heartbeat says that it has begun."""
    api: Any = SimpleNamespace(row=0)
    server: Any = SimpleNamespace(row=1)
    exchange: Any = SimpleNamespace(received=7, sent=100, status=200, code="", answered=0.0)
    while True:
        exchange.started = exchange.attempted = now_ms() / 1000
        exchange.server = None
        recorder.begin()
        recorder.enter(exchange, api)
        recorder.attempt(exchange, server)
        recorder.end(exchange)
        recorder._cells[recorder._active - layout.ACTIVE + layout.HEARTBEAT] = 1
