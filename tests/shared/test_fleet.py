from collections.abc import Iterator

import pytest

from gproxy.shared import layout
from gproxy.shared.fleet import FleetCells
from gproxy.shared.table import Table


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create(slots=1, rows=8)
    yield table
    table.close()


def test_a_limit_is_divided_by_row(table: Table) -> None:
    writer, reader = FleetCells(table), FleetCells(table)
    assert reader.part(3) == 0
    writer.divide(3, 0.25)
    writer.divide(7, 1)
    assert (reader.part(3), reader.part(7), reader.part(4)) == (layout.FLEET_WHOLE // 4, layout.FLEET_WHOLE, 0)
    writer.divide(3, 0)
    assert reader.part(3) == 0


def test_an_agreement_ends_by_the_clock_and_each_change_is_counted(table: Table) -> None:
    cells = FleetCells(table)
    cells.open(2, 1_000)
    cells.open(2, 1_000)
    assert (cells.is_open(2, 999), cells.is_open(2, 1_000), cells.is_open(3, 0)) == (True, False, False)
    assert (cells.open_until_us(2), cells.changes) == (1_000, 1)
    cells.open(2, 0)
    assert (cells.is_open(2, 0), cells.changes) == (False, 2)
