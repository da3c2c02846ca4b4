from collections.abc import Iterator

import pytest

from gproxy.core.backends import Server, Timeouts
from gproxy.core.ewma import DECAY_S
from gproxy.core.snapshot import SnapshotBuilder
from gproxy.filters import hooks_for
from gproxy.shared import layout
from gproxy.shared.table import Table, now_ms
from gproxy.worker.loads import Loads
from tests.core.snapshot_lines import lines

ROW = 0


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(3, rows=8)
    made.cells[layout.ROWS_USED] = 1
    for slot in range(3):
        made.claim(slot)
    yield made
    made.close()


@pytest.fixture
def server() -> Server:
    builder = SnapshotBuilder(1, Timeouts(), hooks_for)
    for line in lines([{"name": "a", "address": "127.0.0.1:1"}], [{"name": "c", "servers": ["a"]}]):
        builder.add(line)
    return builder.build().clusters["c"].members[0]


def note(table: Table, slot: int, time_us: int, age_s: float = 0.0) -> None:
    base = table.row_base(slot, ROW)
    table.cells[base + layout.ROW_EWMA_US] = time_us
    table.cells[base + layout.ROW_EWMA_MS] = now_ms() - int(age_s * 1000)


def test_in_flight_is_that_of_all_workers(table: Table, server: Server) -> None:
    for slot, active in enumerate((1, 0, 4)):
        table.cells[table.row_base(slot, ROW) + layout.ROW_ACTIVE] = active
    assert [Loads(table, slot).active(server) for slot in range(3)] == [5, 5, 5]


def test_a_worker_goes_by_its_own_average(table: Table, server: Server) -> None:
    note(table, 0, 1000)
    note(table, 1, 9000)
    assert Loads(table, 0).time_us(server) == pytest.approx(1000, rel=0.01)


def test_a_new_worker_takes_the_mean_of_the_others(table: Table, server: Server) -> None:
    assert Loads(table, 2).time_us(server) == 0
    note(table, 0, 1000)
    note(table, 1, 3000)
    assert Loads(table, 2).time_us(server) == pytest.approx(2000, rel=0.01)


def test_an_average_outlives_its_worker_and_fades(table: Table, server: Server) -> None:
    Loads(table, 0).observe(server, 5000)
    table.release(0)
    table.claim(0)
    assert Loads(table, 0).time_us(server) == pytest.approx(5000, rel=0.01)
    note(table, 0, 5000, age_s=DECAY_S)
    assert 1700 < Loads(table, 0).time_us(server) < 1900
