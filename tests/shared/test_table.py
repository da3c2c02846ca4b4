import os
import signal
import time
from collections.abc import Iterator

import pytest

from gproxy.shared import layout
from gproxy.shared.table import Table, TableError, now_ms

ZEROS, ONES = 0, 2**64 - 1


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=64)
    yield made
    made.close()


def test_every_process_that_attaches_sees_the_same_cells(table: Table) -> None:
    other = Table.attach(os.dup(table.fd))
    table.cells[table.base(3) + layout.STATUS_2XX] += 7
    assert (other.slots, other.rows) == (4, 64)
    assert other.cells[other.base(3) + layout.STATUS_2XX] == 7
    assert other.total(layout.STATUS_2XX) == 7
    other.close()


def test_claim_and_release_zero_gauges_and_keep_counters(table: Table) -> None:
    base = table.base(1)
    table.cells[base + layout.CONNECTIONS] = 5
    table.cells[base + layout.STATUS_2XX] = 6
    table.claim(1)
    assert table.cells[base + layout.CONNECTIONS] == 0
    assert table.cells[base + layout.STATE] == layout.STATE_STARTING
    assert abs(now_ms() - table.cells[base + layout.HEARTBEAT]) < 60_000
    table.cells[base + layout.ACTIVE] = 2
    table.release(1)
    assert [table.cells[base + gauge] for gauge in layout.GAUGES] == [0] * len(layout.GAUGES)
    assert table.cells[base + layout.STATUS_2XX] == 6


def test_gauges_of_rows_go_with_their_worker_and_counters_stay(table: Table) -> None:
    cells = table.cells
    cells[layout.ROWS_USED] = 3
    table.claim(0)
    for slot in (0, 1):
        for row in (0, 2):
            base = table.row_base(slot, row)
            cells[base + layout.ROW_ACTIVE] = 5
            cells[base + layout.ROW_QUEUED] = 6
            cells[base + layout.ROW_STATUS_2XX] = 7
    table.claim(1)
    table.release(0)
    assert table.row_total(2, layout.ROW_ACTIVE) == 5, "a slot that was never used is not looked at"
    table.release(1)
    for row in (0, 2):
        assert table.row_total(row, layout.ROW_ACTIVE) == table.row_total(row, layout.ROW_QUEUED) == 0
        assert table.row_total(row, layout.ROW_STATUS_2XX) == 14


def test_no_cell_belongs_to_two() -> None:
    table = Table.create(slots=2, rows=3)
    slots, rows = range(2), range(3)
    parts = [
        (layout.GLOBAL_END, 0),
        *((layout.SLOT_CELLS, table.base(slot)) for slot in slots),
        *((layout.HISTOGRAM_CELLS, table.slot_histogram_base(slot)) for slot in slots),
        *((layout.RING_CELLS, table.ring_base(ring)) for ring in range(2 + layout.ROLE_RINGS)),
        *((1, table.generation_cell(row)) for row in rows),
        *((layout.ROW_ZERO_CELLS, table.zero_base(row)) for row in rows),
        *((layout.HEALTH_CELLS, table.health_base(row)) for row in rows),
        *((layout.ROW_CELLS, table.row_base(slot, row)) for slot in slots for row in rows),
        *((layout.HISTOGRAM_CELLS, table.histogram_base(slot, row)) for slot in slots for row in rows),
        *((layout.BREAKER_CELLS, table.breaker_base(slot, row)) for slot in slots for row in rows),
        *((layout.LIMIT_CELLS, table.limit_base(slot, row)) for slot in slots for row in rows),
    ]
    taken: set[int] = set()
    for length, start in parts:
        cells = set(range(start, start + length))
        assert cells.isdisjoint(taken)
        taken |= cells
    assert max(taken) < len(table.cells)
    assert all(start % layout.LINE_CELLS == 0 for length, start in parts if length > 1)
    table.close()


@pytest.mark.parametrize("slot", [-1, 4])
def test_there_is_no_slot_outside_the_table(table: Table, slot: int) -> None:
    for start in (table.base, table.slot_histogram_base):
        with pytest.raises(IndexError):
            start(slot)
    with pytest.raises(IndexError):
        table.row_base(slot, 0)
    with pytest.raises(IndexError):
        table.ring_base(slot * 2)


@pytest.mark.parametrize("row", [-1, 64])
def test_there_is_no_row_outside_the_table(table: Table, row: int) -> None:
    for start in (table.health_base, table.zero_base, table.generation_cell):
        with pytest.raises(IndexError):
            start(row)
    with pytest.raises(IndexError):
        table.histogram_base(0, row)


def test_only_what_is_used_takes_memory() -> None:
    table = Table.create()
    assert len(table.cells) * layout.CELL_BYTES > 1 << 30
    table.claim(0)
    for row in range(100):
        table.cells[table.row_base(0, row) + layout.ROW_STATUS_2XX] += 1
    assert os.fstat(table.fd).st_blocks * 512 < 1 << 17
    table.close()


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        (layout.HEADER_MAGIC, 1, "not a shared-memory table"),
        (layout.HEADER_VERSION, 99, "layout version 99, this program uses 2"),
        (layout.HEADER_FINGERPRINT, 1, "laid out by a version of the program that has other cells"),
        (layout.HEADER_SLOTS, 5, "size does not fit"),
        (layout.HEADER_ROWS, 5, "size does not fit"),
    ],
)
def test_foreign_memory_is_refused(table: Table, cell: int, value: int, reason: str) -> None:
    table.cells[cell] = value
    with pytest.raises(TableError, match=reason):
        Table.attach(table.fd)


def test_memory_that_is_too_short_is_refused() -> None:
    fd = os.memfd_create("short")
    os.write(fd, b"gproxyT\0")
    with pytest.raises(TableError, match="too short"):
        Table.attach(fd)
    os.close(fd)


def test_no_reader_sees_a_half_written_cell(table: Table) -> None:
    """One process flips all 64 bits of a cell; another one must see only 0 or all ones in it."""
    cells, index = table.cells, table.base(2) + layout.BYTES_OUT
    writer = os.fork()
    if writer == 0:
        while True:
            cells[index] = ONES
            cells[index] = ZEROS
    seen = {ZEROS: 0, ONES: 0}
    try:
        give_up = time.monotonic() + 20
        while min(seen.values()) < 20_000 and time.monotonic() < give_up:
            for _ in range(1000):
                value = cells[index]
                seen[value] = seen.get(value, 0) + 1
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert seen.keys() == {ZEROS, ONES}
    assert min(seen.values()) >= 20_000
