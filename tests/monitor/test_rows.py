import os
import signal
import time
from collections.abc import Iterator

import pytest

from gproxy.monitor.rows import RowReader
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import Key
from gproxy.sync.rows import REST_S, Rows
from tests.monitor.figures import put


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=300)
    yield made
    made.close()


def test_only_rows_with_news_are_named(table: Table) -> None:
    reader = RowReader(table)
    assert reader.changed() == set()
    for row in (0, 63, 64, 200):
        put(table, row, 1)
    put(table, 200, 1, slot=2)
    assert reader.changed() == {0, 63, 64, 200}
    assert reader.changed() == set()
    put(table, 250, 1, slot=1)
    put(table, 63, 1)
    assert reader.changed() == {63, 250}


def test_a_mark_changes_with_anything_of_a_row(table: Table) -> None:
    reader = RowReader(table)
    marks = [reader.mark(5)]
    put(table, 5, 1)
    marks.append(reader.mark(5))
    put(table, 5, 1, slot=1)
    marks.append(reader.mark(5))
    table.cells[table.generation_cell(5)] += 1
    marks.append(reader.mark(5))
    put(table, 6, 1)
    assert len(set(marks)) == 4
    assert reader.mark(5) == marks[-1]


def test_sums_are_over_all_slots(table: Table) -> None:
    reader = RowReader(table)
    put(table, 5, 2, ms=1)
    put(table, 5, 3, ms=1, slot=3)
    put(table, 5, 1, ms=1000, slot=3, cell=layout.ROW_STATUS_5XX)
    cells, counts = reader.cells(5), reader.histogram(5)
    assert (cells[layout.ROW_STATUS_2XX], cells[layout.ROW_STATUS_5XX]) == (5, 1)
    assert [count for count in counts if count] == [5, 1]
    assert set(reader.cells(6)) == set(reader.histogram(6)) == {0}


def test_large_counts_do_not_run_into_their_neighbours(table: Table) -> None:
    table.claim(0)
    table.claim(1)
    for slot, cell in ((0, layout.ROW_STATUS_2XX), (1, layout.ROW_STATUS_2XX), (1, layout.ROW_STATUS_4XX)):
        table.cells[table.row_base(slot, 0) + cell] = 2**62
    cells = RowReader(table).cells(0)
    assert cells[layout.ROW_STATUS_2XX : layout.ROW_STATUS_5XX] == [2**63, 0, 2**62]


def test_an_object_that_got_a_used_row_begins_at_zero(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    old: Key = ("server", "old")
    assert rows.assign([old], 0.0) == {old: 0}
    put(table, 0, 5)
    rows.assign([], 1.0)
    rows.assign([("server", "new")], 1.0 + REST_S)
    reader = RowReader(table)
    assert sum(reader.cells(0)) == sum(reader.histogram(0)) == 0
    put(table, 0, 2)
    assert reader.cells(0)[layout.ROW_STATUS_2XX] == sum(reader.histogram(0)) == 2


def test_a_histogram_that_nobody_writes_takes_no_memory(table: Table) -> None:
    for row in range(300):
        put(table, row, 1)
    reader, before = RowReader(table), os.fstat(table.fd).st_blocks
    table.claim(1)
    for row in range(300):
        reader.histogram(row)
    pages = (os.fstat(table.fd).st_blocks - before) * 512 // 4096
    assert pages <= 300 * layout.ROW_CELLS * layout.CELL_BYTES // 4096 + 3, "the row cells of the second slot only"


def test_no_reader_sees_a_half_written_cell_in_a_run_of_them(table: Table) -> None:
    """One process flips all bits of two cells; a copy of the whole run must have only 0 or all ones in them."""
    cells, start = table.cells, table.row_base(0, 0)
    flipped = (start, start + 17)
    writer = os.fork()
    if writer == 0:
        while True:
            for value in (2**64 - 1, 0):
                for cell in flipped:
                    cells[cell] = value
    seen = {b"\0" * 8: 0, b"\xff" * 8: 0}
    try:
        give_up = time.monotonic() + 20
        while min(seen.values()) < 20_000 and time.monotonic() < give_up:
            for _ in range(1000):
                copy = cells[start : start + 400].tobytes()
                for part in (copy[:8], copy[17 * 8 : 18 * 8]):
                    seen[bytes(part)] = seen.get(bytes(part), 0) + 1
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert len(seen) == 2
    assert min(seen.values()) >= 20_000
