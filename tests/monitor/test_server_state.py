from collections.abc import Iterator
from typing import Any

import pytest

from gproxy.core.backends import Timeouts
from gproxy.core.limiter import Limit
from gproxy.core.snapshot import Hooks, Snapshot, SnapshotBuilder
from gproxy.monitor.server_state import ServerStates
from gproxy.shared import layout
from gproxy.shared.circuits import now_us
from gproxy.shared.fleet import FleetCells
from gproxy.shared.health import HealthCells, Verdict
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table, now_ms
from tests.core.snapshot_lines import lines


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(1, rows=16)
    made.claim(0)
    made.cells[layout.ROWS_USED] = 8
    yield made
    made.close()


def snapshot(*servers: dict[str, Any], **api: Any) -> Snapshot:
    named = [{"name": f"s{at}", "address": "127.0.0.1:1", **fields} for at, fields in enumerate(servers)]
    builder = SnapshotBuilder(1, Timeouts(), lambda document: Hooks())
    cluster = {"name": "c", "servers": [server["name"] for server in named]}
    for line in lines(named, [cluster], [{"name": "a", "path": "/*", "nodes": [{"cluster": "c"}], **api}]):
        builder.add(line)
    return builder.build()


def against(table: Table, built: Snapshot) -> list[list[str]]:
    states, cluster = ServerStates(table, built), built.clusters["c"]
    told = [states.server(cluster, server) for server in cluster.members]
    assert all(one["usable"] is not bool(one["against"]) for one in told)
    return [one["against"] for one in told]


def test_what_the_document_says(table: Table) -> None:
    built = snapshot({}, {"status": "down"}, {"weight": 0}, {"status": "drain"}, {"backup": True})
    assert against(table, built) == [
        [],
        ["its status is down"],
        ["its weight is 0"],
        ["it drains: only sticky sessions go there"],
        [],
    ]


def test_what_health_and_limits_say(table: Table) -> None:
    built = snapshot({"max_connections": 1}, {"max_qps": 1, "burst": 1})
    first, second = built.clusters["c"].members
    HealthCells(table).write(first.row, Verdict(first.identity, layout.HEALTH_DOWN, 1, 0, now_ms() + 60_000))
    table.cells[table.row_base(0, first.row) + layout.ROW_ACTIVE] = 1
    assert not Limits(table, 0).take(second.row, Limit.of(1, 1.0, 1))
    assert against(table, built) == [
        ["down by its health check", "it has as many requests in flight as max_connections allows"],
        ["its max_qps is used up"],
    ]


def test_the_state_of_an_api(table: Table) -> None:
    built = snapshot({}, max_concurrency=5, circuit_breaker={})
    (api,) = (value.target for value in built.compiled.values() if hasattr(value, "target"))
    assert ServerStates(table, built).api(api) == {"circuit": "closed", "in_flight": 0, "most": 5}


def test_what_other_nodes_say(table: Table) -> None:
    breaker = {"share": "cluster"}
    built = snapshot({"circuit_breaker": breaker}, {"circuit_breaker": {}})
    first, second = built.clusters["c"].members
    for server in (first, second):
        FleetCells(table).open(server.row, now_us() + 60_000_000)
    assert against(table, built) == [["other nodes have opened its circuit"], []], "the other's is not shared"
