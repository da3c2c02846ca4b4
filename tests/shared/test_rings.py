import os
import signal
import time
from collections.abc import Iterator

import pytest

from gproxy.core.events import Event, Kind, ReloadCause, Thing
from gproxy.shared import layout
from gproxy.shared.rings import RingReader, RingWriter
from gproxy.shared.table import Table


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=8)
    made.claim(0)
    made.claim(1)
    yield made
    made.close()


def event(number: int) -> Event:
    return Event(Kind.CIRCUIT, 1, Thing.SERVER, row=number % 8, figures=(number, number, number))


def test_rings_are_merged_by_time(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((3, 1, 2))
    monkeypatch.setattr(time, "time_ns", lambda: next(now) * 1_000_000)
    master = RingWriter(table, table.slots + layout.RING_MASTER)
    master.tell(Event(Kind.RELOAD, ReloadCause.DONE))
    RingWriter(table, 0).tell(event(1))
    RingWriter(table, 1).tell(event(2))
    reader = RingReader(table)
    assert [(told.time_ms, told.ring, told.event.kind) for told in reader.news()] == [
        (1, 0, Kind.CIRCUIT),
        (2, 1, Kind.CIRCUIT),
        (3, 2 + layout.RING_MASTER, Kind.RELOAD),
    ]
    assert reader.news() == []


def test_a_ring_goes_on_with_the_next_writer(table: Table) -> None:
    reader = RingReader(table)
    RingWriter(table, 0).tell(event(1))
    RingWriter(table, 0).tell(event(2))
    assert [(told.number, told.event) for told in reader.news()] == [(1, event(1)), (2, event(2))]
    assert [told.number for told in RingReader(table).news()] == [1, 2], "a new reader begins at the beginning"


def test_a_full_ring_keeps_the_newest(table: Table) -> None:
    writer, reader = RingWriter(table, 1), RingReader(table)
    for number in range(layout.RING_RECORDS + 10):
        writer.tell(event(number))
    told = reader.news()
    assert [one.event.figures[0] for one in told] == list(range(10, layout.RING_RECORDS + 10))


def test_a_record_that_is_being_written_is_not_taken(table: Table) -> None:
    writer = RingWriter(table, 0)
    writer.tell(event(1))
    writer.tell(event(2))
    record = table.ring_base(0) + layout.LINE_CELLS
    table.cells[record] = 0
    assert [told.event for told in RingReader(table).news()] == [event(2)]


def test_an_event_that_does_not_fit_leaves_the_ring_as_it_was(table: Table) -> None:
    with pytest.raises(OverflowError):
        RingWriter(table, 0).tell(Event(Kind.CIRCUIT, 1, row=2**24))
    assert RingReader(table).news() == []


def test_no_reader_sees_half_an_event(table: Table) -> None:
    """One process fills its ring as fast as it can; all that another takes must be whole."""
    pid = os.fork()
    if pid == 0:
        writer, number = RingWriter(table, 1), 0
        while True:
            number += 1
            writer.tell(event(number))
    reader, taken = RingReader(table), 0
    try:
        give_up = time.monotonic() + 20
        while taken < 5_000 and time.monotonic() < give_up:
            for told in reader.news():
                assert set(told.event.figures) == {told.number}
                assert told.event.row == told.number % 8
                taken += 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert taken >= 5_000
