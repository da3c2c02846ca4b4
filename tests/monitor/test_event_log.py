from collections.abc import Iterator

import pytest

from gproxy.core.breaker import Cause, State
from gproxy.core.events import Event, Kind, ReloadCause, Thing
from gproxy.monitor.event_log import MOST, EventLog
from gproxy.monitor.objects import objects
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from tests.monitor.figures import lines

NAMES = objects(lines({"a": 0}, {"all": 1}))


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=8)
    made.claim(0)
    made.claim(1)
    yield made
    made.close()


def opened(row: int = 0, epoch: int = 1, generation: int = 0) -> Event:
    states = {"before": State.CLOSED, "after": State.OPEN}
    cause = Cause.CONSECUTIVE_FAILURES
    return Event(
        Kind.CIRCUIT, cause, Thing.SERVER, row, figures=(5, 5, 9), epoch=epoch, generation=generation, **states
    )


def test_events_are_numbered_and_told_in_words(table: Table) -> None:
    log = EventLog(table, lambda: NAMES)
    RingWriter(table, 0).tell(opened())
    log.collect()
    RingWriter(table, table.slots + layout.RING_MASTER).tell(Event(Kind.RELOAD, ReloadCause.DONE, figures=(4, 0, 0)))
    log.collect()
    told = log.since(0)
    assert (told["last"], told["restarted"]) == (2, False)
    first, second = told["events"]
    assert first["time_ms"] > 0
    assert {key: first[key] for key in ("id", "kind", "object", "name", "from", "to", "cause")} == {
        "id": 1,
        "kind": "circuit",
        "object": "server",
        "name": "a",
        "from": "closed",
        "to": "open",
        "cause": "consecutive_failures",
    }
    assert first["figures"]["failures_in_a_row"] == 5
    assert second["figures"] == {"workers": 4}
    assert log.since(1)["events"] == [second]
    assert log.since(2)["events"] == []


def test_one_move_that_two_have_told_is_one_event(table: Table) -> None:
    log = EventLog(table, lambda: NAMES)
    for slot in (0, 1):
        RingWriter(table, slot).tell(opened())
    RingWriter(table, 0).tell(opened(epoch=2))
    log.collect()
    assert len(log.since(0)["events"]) == 2


def test_the_next_owner_of_a_row_is_not_blamed(table: Table) -> None:
    log = EventLog(table, lambda: NAMES)
    table.cells[table.generation_cell(0)] = 1
    RingWriter(table, 0).tell(opened())
    RingWriter(table, 0).tell(opened(generation=1))
    log.collect()
    assert [event["name"] for event in log.since(0)["events"]] == ["row 0", "a"]


def test_a_number_of_an_earlier_monitor_gets_everything(table: Table) -> None:
    log = EventLog(table, lambda: NAMES)
    RingWriter(table, 0).tell(opened())
    log.collect()
    told = log.since(77)
    assert (len(told["events"]), told["last"], told["restarted"]) == (1, 1, True)


def test_only_so_many_are_kept(table: Table) -> None:
    log, writer = EventLog(table, lambda: NAMES), RingWriter(table, 0)
    for _ in range(MOST // 200 + 1):
        for _ in range(200):
            writer.tell(opened(epoch=0))
        log.collect()
    assert len(log.since(0)["events"]) == MOST
