import os
import struct
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.limiter import Limit
from gproxy.shared import layout
from gproxy.shared.fleet import FleetCells
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table
from tests.core.limits import START, One

S = 1_000_000_000
ROW = 3
LIMIT = Limit.of(5)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def workers(count: int) -> tuple[list[Limits], Clock, Table]:
    table, clock = Table.create(slots=count, rows=8), Clock()
    for slot in range(count):
        table.claim(slot)
    return [Limits(table, slot, clock) for slot in range(count)], clock, table


Take = Callable[[Limits, Limit], int]


@pytest.fixture(params=["row", "key"])
def take(request: pytest.FixtureRequest) -> Take:
    if request.param == "row":
        return lambda limits, limit: limits.take(ROW, limit)
    return lambda limits, limit: limits.take_key(ROW, b"10.0.0.1", limit)


def test_workers_share_a_limit(take: Take) -> None:
    crew, clock, _ = workers(4)
    assert [take(crew[number % 4], LIMIT) == 0 for number in range(8)] == [True] * 5 + [False] * 3
    clock.now += S
    assert [take(crew[number % 4], LIMIT) == 0 for number in range(8)] == [True] * 5 + [False] * 3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, S)), max_size=60), st.sampled_from([1, 4]))
def test_the_cells_hold_what_one_alone_would_know(steps: list[tuple[int, int]], count: int) -> None:
    crew, clock, _ = workers(count)
    row, key = One(LIMIT), One(LIMIT)
    for worker, gap in steps:
        clock.now += gap
        limits = crew[worker % count]
        assert limits.take(ROW, LIMIT) == row.take(clock.now)
        assert limits.take_key(ROW, b"a", LIMIT) == key.take(clock.now)


def test_rows_and_keys_know_nothing_of_each_other() -> None:
    (one, two), _, _ = workers(2)
    for row in (0, 1):
        assert [one.take(row, LIMIT) == 0 for _ in range(6)] == [True] * 5 + [False]
        for key in (b"", b"a", b"b"):
            assert [two.take_key(row, key, LIMIT) == 0 for _ in range(6)] == [True] * 5 + [False]


def test_a_limit_that_is_changed_begins_anew(take: Take) -> None:
    (one, two), clock, _ = workers(2)
    hourly = Limit.of(1, 3600)
    assert not take(one, hourly)
    assert take(two, hourly)
    assert [take(two, LIMIT) == 0 for _ in range(6)] == [True] * 5 + [False]
    assert take(one, LIMIT), "the other worker comes later, to the same new limit"
    clock.now += S
    assert not take(one, LIMIT)


def test_a_limit_that_is_changed_begins_anew_for_one_worker(take: Take) -> None:
    (one,), clock, _ = workers(1)
    assert not take(one, Limit.of(1, 3600))
    assert [take(one, LIMIT) == 0 for _ in range(6)] == [True] * 5 + [False]
    clock.now += S
    assert not take(one, LIMIT)


def test_what_one_worker_let_through_is_counted_when_others_come(take: Take) -> None:
    table, clock = Table.create(slots=2, rows=8), Clock()
    table.claim(0)
    one = Limits(table, 0, clock)
    assert [take(one, LIMIT) for _ in range(5)] == [0] * 5
    table.claim(1)
    assert take(Limits(table, 1, clock), LIMIT)
    assert take(one, LIMIT)


def test_a_successor_goes_on_with_the_share_of_its_slot(take: Take) -> None:
    (one, two), clock, table = workers(2)
    assert [take(one, LIMIT) for _ in range(5)] == [0] * 5
    table.release(0)
    assert take(two, LIMIT), "what the dead one let through is counted"
    table.claim(0)
    assert take(Limits(table, 0, clock), LIMIT)
    clock.now += S
    assert not take(Limits(table, 0, clock), LIMIT)


def test_a_worker_that_is_killed_while_it_writes_has_let_nothing_through() -> None:
    (one,), clock, table = workers(1)
    assert not one.take(ROW, LIMIT)
    clock.now += S
    table.cells[table.limit_base(0, ROW) + layout.LIMIT_EPOCH] = clock.now  # the end comes after it
    successor = Limits(table, 0, clock)
    assert [successor.take(ROW, LIMIT) == 0 for _ in range(6)] == [True] * 5 + [False]


def test_what_a_worker_remembers_of_its_share_is_what_the_cells_say() -> None:
    crew, clock, table = workers(2)
    for number in range(12):
        limits = crew[number % 2]
        before = limits.peek(ROW, LIMIT, None)
        assert limits.take(ROW, LIMIT) == before
        assert Limits(table, number % 2, clock).peek(ROW, LIMIT, None) == crew[0].peek(ROW, LIMIT, None)
        clock.now += S // 7


def test_a_decision_that_comes_too_late_is_made_again(take: Take) -> None:
    """It would begin a new epoch, and forget what the others have let through meanwhile."""
    (one, two), _, table = workers(2)
    assert not take(one, LIMIT)
    assert not take(two, LIMIT)
    looks = iter([START + S, START + 2 * S, START + 2 * S, START + 2 * S])
    assert not take(Limits(table, 1, lambda: next(looks)), LIMIT)
    assert next(looks, None) is None, "it has looked at the clock again"


def test_processes_that_race_hold_the_rate() -> None:
    """Eight of them on fewer cores, as fast as they can: never more than burst, rate and race allow.

    And hardly less, even if all of them are held up now and then.
    """
    table, limit, span_ns = Table.create(slots=8, rows=8), Limit.of(2000, 1, 20), S // 2
    children = []
    go_reader, go_writer = os.pipe()
    for slot in range(8):
        table.claim(slot)
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            limits, passed = Limits(table, slot), []
            os.close(go_writer)
            os.read(go_reader, 1)  # until the parent closes its end
            stop = time.monotonic_ns() + span_ns
            while time.monotonic_ns() < stop:
                if not limits.take(ROW, limit):
                    passed.append(time.monotonic_ns())
            os.write(writer, struct.pack(f"{len(passed)}q", *passed))
            os._exit(0)
        os.close(writer)
        children.append((pid, reader))
    os.close(go_writer)
    os.close(go_reader)
    moments = []
    for pid, reader in children:
        with os.fdopen(reader, "rb") as pipe:
            moments += [moment for (moment,) in struct.iter_unpack("q", pipe.read())]
        assert os.waitpid(pid, 0)[1] == 0
    gaps = [later - earlier for earlier, later in pairwise(sorted(moments))]
    assert len(moments) <= 2000 * sum(gaps) / S + 20 + 8
    # While none of them had a processor nobody was let through: what a limit makes up for is 20 ms here.
    assert len(moments) >= 0.8 * 2000 * sum(gap for gap in gaps if gap < S // 50) / S


def test_a_table_of_many_rows_is_touched_only_where_it_is_used() -> None:
    table = Table.create(slots=64)
    table.claim(0)
    Limits(table, 0).take(layout.DEFAULT_ROWS - 1, LIMIT)
    assert os.fstat(table.fd).st_blocks * 512 < 1 << 20


def test_of_a_limit_that_nodes_share_workers_let_through_the_nodes_part(take: Take) -> None:
    shared = Limit.of(8, is_shared=True)
    crew, clock, table = workers(2)
    FleetCells(table).divide(ROW, 0.5)
    assert [take(crew[number % 2], shared) == 0 for number in range(5)] == [True] * 4 + [False]
    assert crew[0].peek(ROW, shared, None) or crew[0].peek(ROW, shared, b"10.0.0.1")
    clock.now += S
    FleetCells(table).divide(ROW, 0.25)
    assert [take(crew[number % 2], shared) == 0 for number in range(3)] == [True, True, False]
