"""The crew with children that only sleep; the clock is the test's."""

import os
import signal
from collections.abc import Iterator

import pytest

from gproxy import settings
from gproxy.core.events import ProcessCause, ProcessState, Thing
from gproxy.master.child import MONITOR, SYNC, WORKER
from gproxy.master.crew import BOOT_TIMEOUT_S, STEADY_S, STRANGER_SILENT_S, Crew, Departure, Place, restart_delay_s
from gproxy.role import Context
from gproxy.shared import layout
from gproxy.shared.rings import RingReader
from gproxy.shared.table import Table, now_ms
from tests.harness.waiting import eventually

ROLES = dict.fromkeys((WORKER, SYNC, MONITOR), "tests.master.test_crew:sleep")


def sleep(context: Context) -> int:
    """A role that waits for a signal."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pause()
    return 0


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=64)
    yield made
    made.close()


@pytest.fixture
def crew(table: Table) -> Iterator[Crew]:
    made = Crew(table, ROLES, lambda keep: None)
    yield made
    for child in made.children():
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)


def place(role: str = WORKER) -> Place:
    return Place(role, settings.load(None, {"log": {"file": "/dev/null"}}))


def departures(crew: Crew, now_s: float) -> list[Departure]:
    return eventually(lambda: crew.reap(now_s))


@pytest.mark.parametrize(
    ("failures", "draw", "delay_s"),
    [(0, 0.5, 0), (1, 0.9, 0), (2, 0, 0.25), (2, 1, 0.5), (3, 1, 1), (5, 1, 4), (8, 1, 30), (99, 0, 15)],
)
def test_delays_double_up_to_a_cap_and_are_jittered(failures: int, draw: float, delay_s: float) -> None:
    assert restart_delay_s(failures, draw) == delay_s


def test_places_are_filled_with_slots_of_their_own(crew: Crew, table: Table) -> None:
    crew.places = [place(), place(SYNC), place()]
    crew.fill(100.0)
    assert [each.child.name for each in crew.places if each.child] == ["worker-0", "sync", "worker-1"]
    assert crew.free_slots() == [2, 3]
    assert table.cells[table.base(0) + layout.PID] == crew.places[0].child.pid  # type: ignore[union-attr]
    assert table.cells[table.base(0) + layout.STATE] == layout.STATE_STARTING
    assert not crew.is_accepting(crew.places[0])
    table.cells[table.base(0) + layout.STATE] = layout.STATE_ACCEPTING
    assert crew.is_accepting(crew.places[0])


def test_a_failed_child_leaves_a_vacancy_and_a_free_slot(crew: Crew, table: Table) -> None:
    crew.places = [place()]
    crew.fill(100.0)
    child = crew.places[0].child
    assert child is not None
    for _ in range(2):  # the second failure soon after the first costs time
        now = crew.places[0].child
        assert now is not None
        now.send(signal.SIGKILL)
        (departure,) = departures(crew, 101.0)
        assert departure == Departure(now, crew.places[0], "killed by SIGKILL")
        assert table.cells[table.base(0) + layout.STATE] == layout.STATE_FREE
        crew.fill(101.0)
    assert [each.child for each in crew.places] == [None]
    assert crew.places[0].failures == 2
    assert crew.next_event_s() == crew.places[0].not_before_s
    assert 101.25 <= crew.places[0].not_before_s <= 101.5
    assert table.cells[layout.WORKER_RESTARTS] == 2
    crew.fill(101.5)
    steady = crew.places[0].child
    assert steady is not None
    steady.send(signal.SIGKILL)
    departures(crew, 101.5 + STEADY_S)
    assert crew.places[0].failures == 1


def test_a_removed_place_is_told_to_end_and_killed_when_it_does_not(crew: Crew) -> None:
    crew.places = [place()]
    crew.fill(100.0)
    crew.remove(crew.places[0], signal.SIGURG, 105.0)  # a signal that a process ignores by default
    assert crew.places == []
    assert crew.next_event_s() == 105.0
    crew.kill_overdue(104.9)
    assert crew.reap(104.9) == []
    crew.kill_overdue(105.0)
    (departure,) = departures(crew, 105.0)
    assert departure.place is None
    assert crew.free_slots() == [0, 1, 2, 3]


def test_a_dismissed_child_that_keeps_its_place_is_replaced_without_delay(crew: Crew) -> None:
    crew.places = [place(SYNC)]
    crew.fill(100.0)
    child = crew.places[0].child
    assert child is not None
    crew.dismiss(child, signal.SIGTERM, None)
    departures(crew, 101.0)
    assert (crew.places[0].failures, crew.places[0].not_before_s) == (0, 101.0)


def test_without_a_free_slot_a_place_waits(crew: Crew) -> None:
    crew.places = [place() for _ in range(5)]
    crew.fill(100.0)
    assert crew.places[4].child is None
    crew.remove(crew.places[0], signal.SIGKILL, None)
    departures(crew, 100.0)
    crew.fill(100.0)
    assert crew.places[3].child is not None


def kills(crew: Crew, now_s: float, tick_s: float = 1.0) -> int:
    crew.kill_hung(now_s, tick_s)
    return sum(child.hang_s == 0 for child in crew.children())


def up(crew: Crew, since_s: float) -> None:
    for child in crew.children():
        child.up_s = since_s


def test_a_silent_worker_is_killed_but_not_after_a_pause_of_the_machine(crew: Crew, table: Table) -> None:
    crew.places = [place()]
    now_s = now_ms() / 1000
    crew.fill(now_s)
    base = table.base(0)
    table.cells[base + layout.STATE] = layout.STATE_ACCEPTING
    table.cells[base + layout.HEARTBEAT] = now_ms() - 11_000
    assert kills(crew, now_s) == 0  # the first look: nothing is known about the time before
    crew._awake_since_s = now_s - 60
    assert kills(crew, now_s) == 0  # it may just have booted
    up(crew, now_s - 60)
    table.cells[base + layout.HEARTBEAT] = now_ms() - 9_000
    assert kills(crew, now_s + 1) == 0
    table.cells[base + layout.HEARTBEAT] = now_ms() - 11_000
    assert kills(crew, now_s + 10) == 0  # the master itself had not looked for ten seconds
    crew._awake_since_s = now_s - 60
    assert kills(crew, now_s + 11) == 1
    assert departures(crew, now_s + 11)[0].reason == "killed by SIGKILL"


def test_a_worker_that_never_accepts_is_killed(crew: Crew) -> None:
    crew.places = [place()]
    crew.fill(100.0)
    crew.kill_hung(100.0, 1000)
    crew._awake_since_s = 0
    assert kills(crew, 100.0 + BOOT_TIMEOUT_S, 1000) == 0
    assert kills(crew, 100.1 + BOOT_TIMEOUT_S, 1000) == 1


@pytest.mark.parametrize("role", [SYNC, MONITOR])
def test_one_that_never_shows_a_heartbeat_is_killed_when_it_can_no_longer_be_booting(crew: Crew, role: str) -> None:
    crew.places = [place(role)]
    crew.fill(100.0)
    crew.kill_hung(100.0, 1000)
    crew._awake_since_s = 0
    assert kills(crew, 100.0 + BOOT_TIMEOUT_S, 1000) == 0
    assert kills(crew, 100.1 + BOOT_TIMEOUT_S, 1000) == 1


def test_a_role_that_never_showed_a_heartbeat_is_not_judged_by_it(crew: Crew, table: Table) -> None:
    crew.places = [place(SYNC)]
    now_s = now_ms() / 1000
    crew.fill(now_s)
    crew.kill_hung(now_s, 1000)
    crew._awake_since_s = 0
    up(crew, 1.0)
    assert kills(crew, now_s, 1000) == 0
    table.cells[layout.SYNC_HEARTBEAT] = now_ms() - 29_000
    assert kills(crew, now_s, 1000) == 0
    table.cells[layout.SYNC_HEARTBEAT] = now_ms() - 31_000
    assert kills(crew, now_s, 1000) == 1


def test_no_process_to_be_had_is_tried_again_later(crew: Crew, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    crew.places = [place()]
    for _ in range(2):
        crew.places[0].not_before_s = 0
        crew.fill(100.0)
    assert crew.places[0].child is None
    assert crew.places[0].not_before_s > 100.0
    assert table.cells[table.base(0) + layout.STATE] == layout.STATE_FREE


def test_what_happens_to_a_child_unasked_is_an_event(crew: Crew, table: Table) -> None:
    crew.places = [place()]
    crew.fill(100.0)
    child = crew.places[0].child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    departures(crew, 101.0)
    crew.fill(102.0)
    told = [one.event for one in RingReader(table).news()]
    assert [(event.thing, event.row, event.cause, event.before, event.after) for event in told] == [
        (Thing.WORKER, 0, ProcessCause.KILLED, ProcessState.RUNNING, ProcessState.ENDED),
        (Thing.WORKER, 0, ProcessCause.REPLACED, ProcessState.NONE, ProcessState.RUNNING),
    ]
    assert told[0].figures[:2] == (child.pid, signal.SIGKILL)


def test_one_that_is_dismissed_is_none(crew: Crew, table: Table) -> None:
    crew.places = [place()]
    crew.fill(100.0)
    crew.remove(crew.places[0], signal.SIGTERM, None)
    departures(crew, 101.0)
    assert RingReader(table).news() == []


def strangers_worker(table: Table, slot: int, pid: int, silent_ms: int) -> None:
    """Let a slot look as if a worker of another master had it."""
    table.claim(slot)
    table.cells[table.base(slot) + layout.PID] = pid
    table.cells[table.base(slot) + layout.HEARTBEAT] = now_ms() - silent_ms


def test_slots_of_other_masters_are_left_alone_until_their_workers_are_gone(crew: Crew, table: Table) -> None:
    nobody, long_ms = 2**22 + 1, round(STRANGER_SILENT_S * 1000) + 1000
    strangers_worker(table, 0, os.getpid(), long_ms)  # silent, but it lives
    strangers_worker(table, 1, nobody, 100)  # its master is about to bury it
    strangers_worker(table, 2, nobody, long_ms)
    assert crew.free_slots() == [2, 3]
    assert crew.strangers() == 3
    crew.free_strangers()
    assert crew.strangers() == 2
    crew.lent = frozenset({3})
    assert crew.free_slots() == [2]
    strangers_worker(table, 2, nobody, long_ms)
    crew.lent = frozenset({2})  # the other master's own business
    crew.free_strangers()
    assert crew.strangers() == 3


def test_a_child_has_beaten_when_it_has_shown_that_it_lives(crew: Crew, table: Table) -> None:
    crew.places = [place(SYNC)]
    crew.fill(100.0)
    child = crew.places[0].child
    assert child is not None
    assert not crew.has_beaten(child)
    table.cells[layout.SYNC_HEARTBEAT] = now_ms()
    assert crew.has_beaten(child)
