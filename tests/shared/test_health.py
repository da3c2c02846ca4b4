from collections.abc import Iterator
from dataclasses import replace

import pytest

from gproxy.core.health import State
from gproxy.shared import layout
from gproxy.shared.health import NOTHING, HealthCells, Verdict
from gproxy.shared.table import Table

DOWN = Verdict(identity=77, state=layout.HEALTH_DOWN, changed_ms=1000, flips=3, valid_until_ms=9000)


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(2, rows=16)
    made.cells[layout.ROWS_USED] = 8
    yield made
    made.close()


@pytest.fixture
def cells(table: Table) -> HealthCells:
    return HealthCells(table)


def test_a_verdict_is_read_as_it_was_written(cells: HealthCells) -> None:
    assert cells.read(5) == NOTHING
    cells.write(5, DOWN)
    assert cells.read(5) == DOWN
    assert cells.read(4) == cells.read(6) == NOTHING


def test_the_generation_counts_news_only(cells: HealthCells) -> None:
    cells.write(5, DOWN)
    assert cells.generation == 1
    cells.write(5, replace(DOWN, valid_until_ms=9999, flips=4))
    assert cells.generation == 1
    cells.write(5, replace(DOWN, state=layout.HEALTH_UP))
    assert cells.generation == 2
    cells.write(5, replace(DOWN, identity=78, state=layout.HEALTH_UP))
    assert cells.generation == 3
    cells.write(5, NOTHING)
    assert cells.generation == 4


def test_rows_that_matter(cells: HealthCells) -> None:
    cells.write(7, DOWN)
    cells.write(2, replace(DOWN, state=layout.HEALTH_UP))
    cells.write(0, replace(DOWN, state=layout.HEALTH_UNKNOWN))
    assert cells.known_rows() == [0, 2, 7]
    assert cells.down_rows() == [7]


def test_nothing_is_read_beyond_the_rows_in_use(cells: HealthCells, table: Table) -> None:
    cells.write(9, DOWN)
    assert cells.known_rows() == cells.down_rows() == []


def test_other_tables_readers_see_it(cells: HealthCells, table: Table) -> None:
    cells.write(1, DOWN)
    assert HealthCells(table).read(1) == DOWN


def test_the_numbers_of_the_states_are_those_of_the_core() -> None:
    assert [State[name.upper()].value for name in layout.HEALTH_NAMES] == [0, 1, 2]
    assert (State.UNKNOWN, State.UP, State.DOWN) == (layout.HEALTH_UNKNOWN, layout.HEALTH_UP, layout.HEALTH_DOWN)
