from collections.abc import Iterator

import pytest

from gproxy.core.events import Event, Kind, StoreCause, StoreState
from gproxy.shared import layout
from gproxy.shared.rings import RingReader, RingWriter
from gproxy.shared.table import Table
from gproxy.sync.lookout import Lookout

LOST, FOLLOWED = StoreState.LOST, StoreState.FOLLOWED


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=1, rows=8)
    yield made
    made.close()


def told(table: Table, sync_state: int, *notes: tuple[bool, int]) -> list[Event]:
    lookout = Lookout(RingWriter(table, 1 + layout.RING_SYNC), sync_state, 100)
    for is_following, now_ms in notes:
        lookout.note(is_following, now_ms)
    return [one.event for one in RingReader(table).news()]


def lost(before: StoreState, ms: int) -> Event:
    return Event(Kind.STORE, StoreCause.UNREACHABLE, before=before, after=LOST, figures=(ms, 0, 0))


def back(ms: int) -> Event:
    return Event(Kind.STORE, StoreCause.BACK, before=LOST, after=FOLLOWED, figures=(ms, 0, 0))


def test_a_store_that_is_found_at_the_start_is_no_event(table: Table) -> None:
    assert told(table, layout.SYNC_STARTING, (True, 110), (True, 120)) == []


def test_one_that_is_not_found_is(table: Table) -> None:
    assert told(table, layout.SYNC_STARTING, (False, 110)) == [lost(StoreState.UNKNOWN, 10)]


def test_each_change_is_told_once_with_how_long_it_was_the_other_way(table: Table) -> None:
    notes = ((True, 110), (False, 200), (False, 300), (True, 700))
    assert told(table, layout.SYNC_STARTING, *notes) == [lost(FOLLOWED, 90), back(500)]


def test_a_restarted_sync_goes_on_where_the_last_one_was(table: Table) -> None:
    assert told(table, layout.SYNC_FOLLOWING, (True, 110)) == []
    assert told(table, layout.SYNC_STORE_LOST, (True, 110)) == [back(10)]
