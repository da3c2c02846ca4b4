import logging
from collections.abc import Iterator

import pytest

from gproxy.core.backends import Endpoint
from gproxy.core.events import Event, Kind, Thing
from gproxy.core.health import Health, Pace, State
from gproxy.core.health_check import Check, Fault
from gproxy.monitor.health import Subject
from gproxy.monitor.probe import Transcript
from gproxy.monitor.targets import Target
from gproxy.monitor.transitions import Announcer
from gproxy.shared import layout
from gproxy.shared.rings import RingReader
from gproxy.shared.table import Table

ROW = 5


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(2, rows=16)
    made.cells[made.generation_cell(ROW)] = 3
    yield made
    made.close()


def subject(state: State, fault: Fault | None = None) -> Subject:
    target = Target("u1", ROW, 1, Endpoint("127.0.0.1", 80, "", None), Check(Pace(5, 3, 2, 3), None), {})
    made = Subject(target, Health(state, 0, -4 if fault else 2), 0)
    made.last = Transcript(0, status=200, ended_ms=12.6)
    if fault is not None:
        made.last.fail(fault, "no answer within 3 s")
        made.fault = made.last.fault
    return made


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (State.UNKNOWN, State.UP, []),
        (State.UNKNOWN, State.DOWN, [("WARNING", "a server is down")]),
        (State.UP, State.DOWN, [("WARNING", "a server is down")]),
        (State.DOWN, State.UP, [("INFO", "a server is up again")]),
    ],
)
def test_the_log(
    before: State, after: State, said: list[tuple[str, str]], caplog: pytest.LogCaptureFixture, table: Table
) -> None:
    caplog.set_level(logging.INFO)
    changed = subject(after, Fault.TIMEOUT if after is State.DOWN else None)
    Announcer(table).tell(changed, before)
    assert [(record.levelname, record.message) for record in caplog.records] == said
    for record in caplog.records:
        assert (record.server, record.address) == ("u1", "127.0.0.1:80")  # type: ignore[attr-defined]
        assert getattr(record, "reason", "") == changed.fault


def test_the_events(table: Table) -> None:
    announcer, reader = Announcer(table), RingReader(table)
    announcer.tell(subject(State.DOWN, Fault.TIMEOUT), State.UP)
    announcer.tell(subject(State.UP), State.DOWN)
    down, up = reader.news()
    assert down.ring == table.slots + layout.RING_MONITOR
    assert down.event == Event(
        Kind.HEALTH, Fault.TIMEOUT, Thing.SERVER, ROW, State.UP, State.DOWN, (4, 200, 13), generation=3
    )
    assert (up.event.before, up.event.after, up.event.cause) == (State.DOWN, State.UP, 0)
