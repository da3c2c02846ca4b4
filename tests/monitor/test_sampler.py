from collections.abc import Iterator

import pytest

from gproxy.monitor.objects import objects
from gproxy.monitor.sampler import Sampler, requests
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.sync.rows import REST_S, Rows
from tests.monitor.figures import lines, put


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=300)
    yield made
    made.close()


@pytest.fixture
def sampler(table: Table) -> Sampler:
    made = Sampler(table, lambda: None, most_series=2)
    made.follow(objects(lines({"a": 0, "b": 1}, {"all": 2})))
    return made


def test_the_first_look_is_where_counting_begins(table: Table, sampler: Sampler) -> None:
    put(table, 0, 100)
    sampler.look()
    put(table, 0, 3)
    sampler.look()
    assert sampler.node.history()["requests"] == [0, 3]
    assert requests(sampler.cells(0)) == 103
    assert requests(sampler.cells(1)) == 0


def test_a_slot_and_a_row_that_are_new_count_from_their_first_request(table: Table, sampler: Sampler) -> None:
    sampler.look()
    put(table, 0, 3, slot=1)
    table.cells[table.base(1) + layout.STATE] = layout.STATE_ACCEPTING
    sampler.look()
    assert sampler.node.history()["requests"][-1] == 3
    assert sampler.workers[1].rates()["10s"]["requests"] == 3
    table.release(1)
    sampler.look()
    assert sampler.workers == {}
    assert sampler.node.history()["requests"][-1] == 0


def test_busy_objects_get_a_history(table: Table, sampler: Sampler) -> None:
    sampler.look()
    assert sampler.series(0) is None
    for _ in range(3):
        put(table, 0, 10, ms=5)
        put(table, 9, 10)  # of nobody
        sampler.look()
    series = sampler.series(0)
    assert series is not None
    assert series.history()["requests"] == [10, 10]
    p50 = series.percentiles_ms()["10s"]["p50"]
    assert p50 is not None
    assert abs(p50 - 5) < 0.2
    assert sampler.series(9) is None
    sampler.look()
    assert series.history()["requests"] == [10, 10, 0]
    sampler.follow(objects(lines({"b": 1}, {})))
    assert sampler.series(0) is None


def test_the_next_owner_of_a_row_begins_at_zero(table: Table, sampler: Sampler) -> None:
    rows = Rows(table, lines({"a": 0, "b": 1}, {"all": 2}), 0.0)
    for _ in range(2):
        put(table, 0, 10)
        sampler.look()
    rows.assign([("server", "b"), ("api", "all")], 1.0)
    sampler.follow(objects(lines({"b": 1}, {"all": 2})))
    rows.assign([("server", "b"), ("api", "all"), ("server", "new")], 1.0 + REST_S)
    sampler.follow(objects(lines({"b": 1, "new": 0}, {"all": 2})))
    assert requests(sampler.cells(0)) == 0
    assert sampler.series(0) is None
    put(table, 0, 3)
    sampler.look()
    assert requests(sampler.cells(0)) == 3
    put(table, 0, 4)
    sampler.look()
    series = sampler.series(0)
    assert series is not None
    assert series.history()["requests"] == [4]


def test_an_object_that_comes_back_goes_on(table: Table, sampler: Sampler) -> None:
    put(table, 0, 10)
    sampler.look()
    sampler.follow(objects(lines({"b": 1}, {})))
    sampler.look()
    sampler.follow(objects(lines({"a": 0}, {})))
    put(table, 0, 1)
    sampler.look()
    assert requests(sampler.cells(0)) == 11
    assert sampler.node.history()["requests"][-1] == 1


def test_others_get_their_turn_in_a_long_look(table: Table) -> None:
    breaths = []
    sampler = Sampler(table, lambda: breaths.append(1))
    for row in range(200):
        put(table, row, 1)
    sampler.look()
    assert len(breaths) == 4
