import os
from collections.abc import Iterator

import pytest

from gproxy.monitor.figures import Figures
from gproxy.monitor.objects import objects
from gproxy.monitor.sampler import Sampler
from gproxy.monitor.wanted import Wanted
from gproxy.shared import layout
from gproxy.shared.circuits import now_us
from gproxy.shared.fleet import FleetCells
from gproxy.shared.table import Table
from tests.monitor.figures import lines, put


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=64)
    yield made
    made.close()


@pytest.fixture
def sampler(table: Table) -> Sampler:
    made = Sampler(table, lambda: None)
    made.follow(objects(lines({"a": 0, "b": 1}, {"all": 2}, breaker={"open_s": 1})))
    made.look()
    return made


@pytest.fixture
def figures(table: Table, sampler: Sampler) -> Figures:
    return Figures(table, sampler, lambda: None)


def test_servers_and_apis_by_name(table: Table, sampler: Sampler, figures: Figures) -> None:
    for _ in range(2):
        put(table, 0, 10, ms=5)
        put(table, 2, 1, cell=layout.ROW_STATUS_5XX)
        sampler.look()
    told = figures.document(Wanted("none"))
    assert told["history"] is None
    first, second = told["servers"]
    assert (first["name"], first["requests"], first["status_2xx"], first["circuit"]) == ("a", 20, 20, None)
    assert first["rates"]["10s"]["requests"] == 10
    assert first["latency_ms"].keys() == {"start", "10s", "1m", "10m"}
    assert abs(first["latency_ms"]["start"]["p99"] - 5) < 0.2
    assert (first["health"], first["connections"], first["idle_connections"]) == ("unknown", 0, 0)
    assert (second["name"], second["requests"], second["rates"]) == ("b", 0, None)
    assert second["latency_ms"] == {"start": {"p50": None, "p95": None, "p99": None}}
    (api,) = told["apis"]
    assert (api["status_5xx"], api["circuit"]) == (2, "closed")
    assert set(layout.API_COUNTER_NAMES) <= api.keys()
    assert told["figures"]["rates"]["10s"]["requests"] == round(22 / 3, 3)


def test_routing_rules_are_told_like_apis(table: Table, sampler: Sampler, figures: Figures) -> None:
    sampler.follow(objects(lines({"a": 0}, {"all": 2}, routings={"beta": 3})))
    put(table, 3, 4)
    put(table, 3, 1, cell=layout.ROW_STATUS_5XX)
    sampler.look()
    (rule,) = figures.document(Wanted("none", routings=frozenset(["beta"])))["routings"]
    assert (rule["name"], rule["requests"], rule["status_2xx"], rule["status_5xx"]) == ("beta", 5, 4, 1)


def test_all_history_is_that_of_objects_too(table: Table, sampler: Sampler, figures: Figures) -> None:
    for _ in range(2):
        put(table, 0, 10)
        sampler.look()
    told = figures.document(Wanted("all"))
    assert told["history"]["requests"] == [0, 10, 10]
    assert told["servers"][0]["history"]["requests"] == [10]
    assert told["servers"][1]["history"] is None


def test_a_worker_and_its_process(table: Table, sampler: Sampler, figures: Figures) -> None:
    put(table, 0, 10, ms=5, slot=1)
    table.cells[table.base(1) + layout.STATE] = layout.STATE_ACCEPTING
    table.cells[table.base(1) + layout.LOOP_LAG_US] = 250
    sampler.look()
    told = figures.worker(1, os.getpid(), Wanted("none"))
    assert told["memory_bytes"] > 0
    assert told["loop_lag_ms"] == 0.25
    assert told["rates"]["10s"]["requests"] == 10
    gone = figures.worker(1, 2**22 + 1, Wanted("none"))
    assert gone["cpu_s"] is gone["memory_bytes"] is None


def test_only_what_is_named_or_busy_is_told(table: Table, sampler: Sampler, figures: Figures) -> None:
    assert [one["name"] for one in figures.document(Wanted("none", servers=frozenset("b")))["servers"]] == ["b"]
    assert figures.document(Wanted("none", servers=frozenset("b")))["apis"] == []
    assert figures.document(Wanted("none", objects="none"))["servers"] == []
    assert figures.document(Wanted("none", objects="busy"))["servers"] == []
    put(table, 0, 10)
    sampler.look()
    told = figures.document(Wanted("none", objects="busy"))
    assert [one["name"] for one in told["servers"]] == ["a"]


def test_buckets_are_what_percentiles_come_from(table: Table, sampler: Sampler, figures: Figures) -> None:
    for _ in range(3):
        put(table, 0, 10, ms=5)
        sampler.look()
    told = figures.document(Wanted("all", 2, buckets=True))
    (index, count) = told["servers"][0]["buckets"]["start"]
    assert count == 30
    assert told["servers"][0]["buckets"]["10s"] == [index, 20], "its series began with its second second"
    assert told["figures"]["buckets"]["1m"] == [index, 30]
    history = told["history"]
    assert (history["number"], history["requests"], history["times"]) == (4, [10, 10], [[index, 10], [index, 10]])


def test_what_other_nodes_mean_for_this_one(table: Table, sampler: Sampler, figures: Figures) -> None:
    put(table, 0, 1)
    put(table, 2, 1)
    sampler.look()
    told = figures.document(Wanted("none"))
    assert (told["servers"][0]["open_elsewhere"], "limit_part" in told["apis"][0]) == (False, False)
    FleetCells(table).open(0, now_us() + 60_000_000)
    FleetCells(table).divide(2, 1 / 3)
    told = figures.document(Wanted("none"))
    assert (told["servers"][0]["open_elsewhere"], told["apis"][0]["limit_part"]) == (True, 0.3333)
