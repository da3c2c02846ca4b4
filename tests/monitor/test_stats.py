from collections.abc import Iterator

import pytest

from gproxy.monitor.stats import MASTER_SILENT_MS, Now, document, not_alive_because, not_ready_because
from gproxy.shared import layout
from gproxy.shared.table import Table

NOW = Now(monotonic_ms=1_000_000, wall_ms=1_800_000_000_000)


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=64)
    made.cells[layout.WORKERS_WANTED] = 2
    yield made
    made.close()


def put_worker(table: Table, slot: int, state: int, version: int = 1) -> None:
    base = table.base(slot)
    table.cells[base + layout.STATE] = state
    table.cells[base + layout.VERSION] = version


def test_the_node_lives_as_long_as_its_master(table: Table) -> None:
    table.cells[layout.MASTER_HEARTBEAT] = NOW.monotonic_ms - MASTER_SILENT_MS
    assert not_alive_because(table, NOW) is None
    table.cells[layout.MASTER_HEARTBEAT] -= 1000
    assert not_alive_because(table, NOW) == "the master has stood still for 16 s"


def test_ready_when_every_wanted_worker_runs_a_snapshot(table: Table) -> None:
    table.cells[layout.PUBLISHED] = 1
    put_worker(table, 0, layout.STATE_ACCEPTING)
    put_worker(table, 2, layout.STATE_STARTING)
    assert not_ready_because(table) == "1 of 2 workers accept connections"
    put_worker(table, 2, layout.STATE_ACCEPTING, version=0)
    assert not_ready_because(table) == "1 of 2 workers have loaded the configuration"
    put_worker(table, 2, layout.STATE_ACCEPTING)
    assert not_ready_because(table) is None
    table.cells[layout.DRAINED] = 1
    assert not_ready_because(table) == "drained"
    table.cells[layout.DRAINED] = 0


def test_a_reload_and_a_store_outage_leave_it_ready(table: Table) -> None:
    for slot in (0, 1):
        put_worker(table, slot, layout.STATE_ACCEPTING)
    put_worker(table, 2, layout.STATE_STARTING, version=0)
    put_worker(table, 3, layout.STATE_DRAINING)
    for state in (layout.SYNC_STARTING, layout.SYNC_STORE_LOST, layout.SYNC_NOTHING):
        table.cells[layout.SYNC_STATE] = state
        assert not_ready_because(table) is None


def test_why_there_is_no_configuration(table: Table) -> None:
    for slot in (0, 1):
        put_worker(table, slot, layout.STATE_ACCEPTING, version=0)
    assert not_ready_because(table) == "no configuration yet: waiting for the store"
    table.cells[layout.SYNC_REJECTED] = 1
    assert not_ready_because(table) == "no configuration: the one in the store is not valid, the log says why"
    table.cells[layout.SYNC_STATE] = layout.SYNC_NOTHING
    assert not_ready_because(table) == (
        "no configuration: the store cannot be reached and there is no earlier snapshot"
    )


def test_a_node_that_wants_no_workers_is_stopping(table: Table) -> None:
    table.cells[layout.WORKERS_WANTED] = 0
    assert not_ready_because(table) == "stopping"


def test_the_document_has_the_node_its_workers_and_totals(table: Table) -> None:
    cells = table.cells
    cells[layout.PUBLISHED], cells[layout.REVISION] = 3, 41
    cells[layout.PUBLISHED_MS] = NOW.wall_ms - 2_500
    cells[layout.STORE_SEEN_MS] = NOW.wall_ms + 5_000  # the clock was set back
    cells[layout.SYNC_STATE] = layout.SYNC_STORE_LOST
    put_worker(table, 1, layout.STATE_ACCEPTING, version=3)
    base = table.base(1)
    cells[base + layout.PID] = 77
    cells[base + layout.HEARTBEAT] = NOW.monotonic_ms - 250
    cells[base + layout.RUNNING_REVISION] = 41
    cells[base + layout.CONNECTIONS], cells[base + layout.ACTIVE] = 5, 2
    cells[base + layout.STATUS_3XX] = 10
    cells[table.base(3) + layout.STATUS_3XX] = 7  # of a worker that is gone
    told = document(table, "n1", "1.2.3", 9, NOW)
    assert (told["node"], told["version"], told["pid"]) == ("n1", "1.2.3", 9)
    assert (told["revision"], told["snapshot"], told["snapshot_age_s"]) == (41, 3, 2.5)
    assert told["ready"] is False
    assert told["sync"] == {
        "pid": 0,
        "state": "store_lost",
        "rejected": 0,
        "store_seen_age_s": 0.0,
        "heartbeat_age_s": None,
    }
    (worker,) = told["workers"]
    assert worker["slot"] == 1
    assert worker["pid"] == 77
    assert worker["state"] == "accepting"
    assert worker["heartbeat_age_s"] == 0.25
    assert (worker["revision"], worker["connections"], worker["active"]) == (41, 5, 2)
    assert worker["requests"] == 10
    assert set(layout.COUNTER_NAMES) <= worker.keys()
    assert told["totals"]["requests"] == 17
    assert told["totals"]["connections"] == 5
    assert set(layout.COUNTER_NAMES) <= told["totals"].keys()


def test_states_of_a_newer_writer_are_shown_as_numbers(table: Table) -> None:
    put_worker(table, 0, 9)
    table.cells[layout.SYNC_STATE] = 8
    told = document(table, "n1", "1", 9, NOW)
    assert (told["workers"][0]["state"], told["sync"]["state"]) == ("9", "8")
