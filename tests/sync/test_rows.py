from collections.abc import Iterator

import pytest

from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import Key
from gproxy.store.snapshot_file import render
from gproxy.sync.rows import REST_S, NoRoom, Rows


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=4)
    yield made
    made.close()


def keys(*names: str) -> list[Key]:
    return [("server" if name < "m" else "api", name) for name in names]


def lines(**rows: int | None) -> list[bytes]:
    return [render("server", {"name": name}, row) for name, row in rows.items()]


def numbers(rows: Rows, names: str, now_s: float = 0.0) -> list[int]:
    found = rows.assign(keys(*names), now_s)
    return [found[key] for key in keys(*names)]


def test_rows_stay_with_their_names(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    assert numbers(rows, "az") == [0, 1]
    assert numbers(rows, "abz") == [0, 2, 1]
    assert table.cells[layout.ROWS_USED] == 3


def test_an_api_and_a_server_of_one_name_are_two(table: Table) -> None:
    found = Rows(table, [], 0.0).assign([("server", "x"), ("api", "x")], 0.0)
    assert sorted(found.values()) == [0, 1]


def test_a_freed_row_rests_before_another_gets_it(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    numbers(rows, "ab")
    numbers(rows, "b", 1.0)
    assert numbers(rows, "bc", REST_S)[-1] == 2
    assert numbers(rows, "bcd", 1.0 + REST_S)[-1] == 0
    assert [table.cells[table.generation_cell(row)] for row in range(4)] == [1, 0, 0, 0]


def test_what_comes_back_in_time_gets_its_own_row(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    numbers(rows, "ab")
    numbers(rows, "b", 1.0)
    assert numbers(rows, "ab", 2.0) == [0, 1]
    assert numbers(rows, "abc", 500.0) == [0, 1, 2], "it is not at rest any more"
    assert table.cells[table.generation_cell(0)] == 0


def test_a_full_table_takes_the_longest_at_rest_and_never_too_many(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    numbers(rows, "abcd")
    numbers(rows, "bcd", 1.0)
    numbers(rows, "cd", 2.0)
    assert numbers(rows, "cde", 3.0)[-1] == 0
    with pytest.raises(NoRoom, match="5 objects are too many: there is room for 4"):
        numbers(rows, "abcde", 4.0)
    assert numbers(rows, "cdef", 5.0) == [2, 3, 0, 1], "a refused configuration has changed nothing"


def test_a_restarted_sync_goes_on_with_the_rows_of_the_snapshot(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    numbers(rows, "abc")
    again = Rows(table, [*lines(a=0, c=2), b'["cluster",{"name":"a"}]'], 10.0)
    assert numbers(again, "adc", 11.0) == [0, 3, 2]
    assert table.cells[layout.ROWS_USED] == 4
    assert numbers(again, "aedc", 10.0 + REST_S) == [0, 1, 3, 2]


def test_a_fresh_table_takes_the_rows_of_the_snapshot_that_fit(table: Table) -> None:
    rows = Rows(table, lines(a=2, b=99, c=None), 0.0)
    assert table.cells[layout.ROWS_USED] == 3
    assert numbers(rows, "abc", 1.0) == [2, 3, 0]


def test_a_new_owner_begins_at_the_sum_of_all_slots(table: Table) -> None:
    rows = Rows(table, [], 0.0)
    numbers(rows, "a")
    numbers(rows, "", 1.0)
    table.cells[layout.SLOTS_USED] = 2
    for slot, count in ((0, 3), (1, 4)):
        base = table.row_base(slot, 0)
        table.cells[base + layout.ROW_STATUS_2XX] = count
        table.cells[base + layout.ROW_ACTIVE] = 1
        table.cells[table.histogram_base(slot, 0) + 5] = count
    assert numbers(rows, "b", 100.0) == [0]
    zero = table.zero_base(0)
    line = table.cells[zero : zero + layout.ROW_ZERO_CELLS].tolist()
    assert line[layout.ROW_STATUS_2XX] == line[layout.ROW_CELLS + 5] == 7
    assert sum(line) == 14, "gauges have no zero line"
