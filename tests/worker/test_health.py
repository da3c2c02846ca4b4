import timeit
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from gproxy.core.backends import Cluster, Timeouts
from gproxy.core.snapshot import Hooks, Snapshot, SnapshotBuilder
from gproxy.shared import layout
from gproxy.shared.health import HealthCells, Verdict
from gproxy.shared.table import Table, now_ms
from gproxy.worker.health import HealthView
from tests.core.snapshot_lines import lines
from tests.harness.waiting import eventually

SERVERS: list[dict[str, Any]] = [
    {"name": "a", "address": "127.0.0.1:1"},
    {"name": "b", "address": "127.0.0.1:2"},
    {"name": "c", "address": "127.0.0.1:3", "backup": True},
]
CLUSTERS: list[dict[str, Any]] = [
    {"name": "all", "servers": ["a", "b", "c"]},
    {"name": "only-a", "servers": ["a"]},
    {"name": "only-b", "servers": ["b"]},
]


def snapshot_of(servers: list[dict[str, Any]] = SERVERS) -> Snapshot:
    builder = SnapshotBuilder(1, Timeouts(), lambda document: Hooks())
    for line in lines(servers, CLUSTERS):
        builder.add(line)
    return builder.build()


def names(servers: tuple[Any, ...]) -> list[str]:
    return [server.name for server in servers]


class Judge:
    """Says through shared memory what the monitor would say."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.cells = HealthCells(table)
        table.cells[layout.ROWS_USED] = 8

    def say(self, snapshot: Snapshot, state: int, *server_names: str, valid_ms: int = 60_000) -> None:
        for clusters in snapshot.clusters_of.values():
            for server in clusters[0].members:
                if server.name in server_names:
                    self.cells.write(server.row, Verdict(server.identity, state, 1, 0, now_ms() + valid_ms))


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(2, rows=16)
    yield made
    made.close()


@pytest.fixture
def judge(table: Table) -> Judge:
    return Judge(table)


@pytest.fixture
def view(table: Table, judge: Judge) -> HealthView:
    return HealthView(table)


def passed_over(view: HealthView) -> dict[str, list[str]]:
    return {cluster.name: names(servers) for cluster, servers in view.passed_over.items()}


def test_all_is_well_until_something_is_known(view: HealthView, judge: Judge) -> None:
    snapshot = snapshot_of()
    view.look(None)
    view.look(snapshot)
    assert view.passed_over == {}
    judge.say(snapshot, layout.HEALTH_UP, "a", "b", "c")
    view.look(snapshot)
    assert view.passed_over == {}


@pytest.mark.parametrize(
    ("down", "expected"),
    [
        ("a", {"all": ["b"], "only-a": []}),
        ("c", {"all": ["a", "b"]}),
        ("ab", {"all": ["c"], "only-a": [], "only-b": []}),
        ("abc", {"all": [], "only-a": [], "only-b": []}),
    ],
)
def test_who_takes_the_traffic(view: HealthView, judge: Judge, down: str, expected: dict[str, list[str]]) -> None:
    snapshot = snapshot_of()
    judge.say(snapshot, layout.HEALTH_DOWN, *down)
    view.look(snapshot)
    assert passed_over(view) == expected
    members = snapshot.clusters["all"].members
    assert "".join(server.name for server in members if view.is_down(server)) == down
    judge.say(snapshot, layout.HEALTH_UP, *down)

    def is_well() -> bool:
        view.look(snapshot)
        return view.passed_over == {}

    eventually(is_well)


def test_news_upon_news_wait_for_a_pause(view: HealthView, judge: Judge) -> None:
    """Looking takes at most a twentieth of the time, however fast the news come."""
    snapshot = snapshot_of()
    looks, began_s = 0, monotonic()
    judge.say(snapshot, layout.HEALTH_DOWN, "a")
    while (took_s := monotonic() - began_s) < 0.1:
        judge.cells.write(15, Verdict(looks + 1, layout.HEALTH_UP, 1, 0, 0))
        before = view.passed_over
        view.look(snapshot)
        looks += view.passed_over is not before
    fastest_s = min(timeit.repeat(lambda: HealthView(judge.table).look(snapshot), number=1, repeat=20))
    assert 2 <= looks <= took_s / (10 * fastest_s)


def test_nothing_is_looked_at_without_news(view: HealthView, judge: Judge) -> None:
    snapshot = snapshot_of()
    judge.say(snapshot, layout.HEALTH_DOWN, "a")
    view.look(snapshot)
    before = view.passed_over
    view.look(snapshot)
    assert view.passed_over is before


def test_another_snapshot_is_news(view: HealthView, judge: Judge) -> None:
    first, second = snapshot_of(), snapshot_of()
    judge.say(first, layout.HEALTH_DOWN, "a")
    view.look(first)
    view.look(second)
    assert set(view.passed_over) == {second.clusters["all"], second.clusters["only-a"]}


def test_a_verdict_on_a_former_address_counts_for_nothing(view: HealthView, judge: Judge) -> None:
    judge.say(snapshot_of(), layout.HEALTH_DOWN, "a")
    moved = snapshot_of([SERVERS[0] | {"address": "127.0.0.1:9"}, *SERVERS[1:]])
    view.look(moved)
    assert view.passed_over == {}


def test_a_dead_monitor_keeps_nobody_down_for_ever(view: HealthView, judge: Judge) -> None:
    snapshot = snapshot_of()
    judge.say(snapshot, layout.HEALTH_DOWN, "a", valid_ms=100)
    judge.say(snapshot, layout.HEALTH_DOWN, "b")
    view.look(snapshot)
    assert passed_over(view)["all"] == ["c"]

    def looks_again() -> bool:
        view.look(snapshot)
        return passed_over(view) == {"all": ["a"], "only-b": []}

    eventually(looks_again)


def test_a_verdict_that_was_renewed_in_time_holds(view: HealthView, judge: Judge, table: Table) -> None:
    snapshot = snapshot_of()
    judge.say(snapshot, layout.HEALTH_DOWN, "a", valid_ms=50)
    view.look(snapshot)
    row = snapshot.clusters["only-a"].members[0].row
    until_ms = now_ms() + 50
    judge.cells.write(row, replace(judge.cells.read(row), valid_until_ms=until_ms + 60_000))
    eventually(lambda: now_ms() > until_ms)
    view.look(snapshot)
    assert passed_over(view) == {"all": ["b"], "only-a": []}


def test_the_reason_names_who_is_down(view: HealthView, judge: Judge) -> None:
    snapshot = snapshot_of()
    judge.say(snapshot, layout.HEALTH_DOWN, "a", "b", "c")
    view.look(snapshot)
    said = "cluster all has no usable server: down by their health checks: a, b, c"
    assert view.reason(snapshot.clusters["all"]) == said
    nobody = replace(snapshot.clusters["all"], members=(), primary=(), backup=())
    assert view.reason(nobody) == "cluster all has no usable server"


def test_a_reason_stays_short(view: HealthView, judge: Judge) -> None:
    many = [{"name": f"s{n}", "address": f"127.0.0.1:{n + 1}"} for n in range(8)]
    builder = SnapshotBuilder(1, Timeouts(), lambda document: Hooks())
    for line in lines(many, [{"name": "x", "servers": [server["name"] for server in many]}]):
        builder.add(line)
    snapshot = builder.build()
    judge.say(snapshot, layout.HEALTH_DOWN, *(f"s{n}" for n in range(8)))
    view.look(snapshot)
    cluster: Cluster = snapshot.clusters["x"]
    assert view.reason(cluster).endswith("s0, s1, s2, s3, s4, ...")
