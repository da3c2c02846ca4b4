from collections.abc import Iterator

import pytest

from gproxy.shared.filters import FilterCounts, FilterMeter, read
from gproxy.shared.table import Table


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(2, rows=16)
    made.claim(0)
    made.claim(1)
    yield made
    made.close()


def test_counts_are_summed_over_workers(table: Table) -> None:
    for slot in range(2):
        meter = FilterMeter(table, slot, 3, "a:B")
        meter.called(5)
        meter.called(7)
        meter.failed()
    meter.rests(True)
    assert read(table, 3, "a:B") == FilterCounts(4, 24, 2, 1)
    assert read(table, 2, "a:B") == read(table, 3, "a:C") == FilterCounts(0, 0, 0, 0)


def test_a_replaced_worker_counts_on(table: Table) -> None:
    FilterMeter(table, 0, 0, "a:B").called(5)
    FilterMeter(table, 0, 0, "a:B").called(5)
    assert read(table, 0, "a:B").calls == 2


def test_another_filter_in_its_place_begins_anew(table: Table) -> None:
    FilterMeter(table, 0, 0, "a:B").called(5)
    FilterMeter(table, 0, 0, "a:C").called(1)
    assert (read(table, 0, "a:B").calls, read(table, 0, "a:C").calls) == (0, 1)


def test_a_worker_that_has_ended_is_without_nothing(table: Table) -> None:
    FilterMeter(table, 0, 0, "a:B").rests(True)
    table.release(0)
    assert read(table, 0, "a:B").workers_without == 0
