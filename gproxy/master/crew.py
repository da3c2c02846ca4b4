"""All children of the master: started into their places, watched, replaced when they fail, killed when overdue."""

import logging
import os
import random
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gproxy.core.events import Event, Kind, ProcessCause, ProcessState, Thing
from gproxy.master.child import MONITOR, SYNC, WORKER, Child, describe_exit, fork, is_running
from gproxy.role import NO_SLOT, Context, TlsShare
from gproxy.settings import Settings
from gproxy.shared import layout
from gproxy.shared.cache import CacheMemory
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table, now_ms

log = logging.getLogger(__name__)

#: A child that lived so long did not fail because of how it was started: its failures are forgotten.
STEADY_S: Final = 10.0
#: A worker that is not accepting after so long never will be, and sync and monitor beat as soon as they begin.
BOOT_TIMEOUT_S: Final = 60.0
#: sync may validate a large configuration in one piece: it is given more time than a worker.
SIDE_HANG_FACTOR: Final = 3
#: A child that ends on its own at its deadline must not be killed just before it does.
KILL_SLACK_S: Final = 1.0
#: A worker of another master that has not shown for so long that it lives is looked for among the processes.
STRANGER_SILENT_S: Final = 5.0
_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 30.0
_SIDE_HEARTBEATS: Final = {SYNC: layout.SYNC_HEARTBEAT, MONITOR: layout.MONITOR_HEARTBEAT}
_THINGS: Final = {WORKER: Thing.WORKER, SYNC: Thing.SYNC, MONITOR: Thing.MONITOR}
_SIDE_PIDS: Final = {SYNC: layout.SYNC_PID, MONITOR: layout.MONITOR_PID}


@dataclass(slots=True, eq=False)
class Place:
    """A process that is meant to run, and how its latest children fared."""

    role: str
    settings: Settings
    listeners: tuple[socket.socket, ...] = ()
    tls: TlsShare | None = None
    addresses: tuple[str, ...] = ()
    cache: CacheMemory | None = None
    child: Child | None = None
    failures: int = 0
    not_before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Departure:
    """A child that has ended; `place` is the one it leaves vacant, None for one that had been dismissed."""

    child: Child
    place: Place | None
    reason: str


def restart_delay_s(failures: int, draw: float) -> float:
    """Return how long to wait after that many failures in a row, jittered by `draw` (0 <= draw < 1).

    The first failure costs nothing: a killed worker is replaced at once. Then the delay doubles up to a cap.
    """
    if failures <= 1:
        return 0.0
    longest = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(failures - 2, 16))
    return longest * (0.5 + draw / 2)


class Crew:
    """The children. `places` are to be filled, `leaving` children were told to end. Times are monotonic.

    The shared memory may hold workers of other masters, too: *strangers*, of a program that replaces this one or that
    this one has replaced. The slots in `lent` are such a master's to give away, as long as it lives.
    """

    def __init__(
        self, table: Table, roles: Mapping[str, str], become_child: Callable[[Iterable[socket.socket]], None]
    ) -> None:
        self.places: list[Place] = []
        self.leaving: list[Child] = []
        self.lent: frozenset[int] = frozenset()
        self._table = table
        self._ring = RingWriter(table, table.slots + layout.RING_MASTER)
        self._roles = roles
        self._become_child = become_child
        self._awake_since_s = 0.0
        self._looked_s = 0.0

    def children(self) -> Iterator[Child]:
        """Yield every living child."""
        yield from (place.child for place in self.places if place.child)
        yield from self.leaving

    def free_slots(self) -> list[int]:
        """Return the slots that no worker holds and that are this master's to give away, lowest first."""
        taken = {child.slot for child in self.children()} | self.lent
        return [slot for slot in range(self._table.slots) if slot not in taken and not self._is_strangers(slot)]

    def strangers(self) -> int:
        """Return how many slots are held by workers of other masters."""
        return len(self._strangers_slots())

    def free_strangers(self) -> None:
        """Free the slots of workers that died after their master, which would have done it."""
        for slot in self._strangers_slots():
            if slot not in self.lent and not self._is_strangers(slot):
                self._table.release(slot)

    def _strangers_slots(self) -> list[int]:
        ours = {child.slot for child in self.children()}
        used = range(self._table.cells[layout.SLOTS_USED])
        return [slot for slot in used if slot not in ours and self._state_of(slot) != layout.STATE_FREE]

    def _is_strangers(self, slot: int) -> bool:
        """Tell whether a worker that is no child of this master may write to a slot.

        Its own master frees the slot, so it is looked at closer only after it has been silent for a while.
        """
        if self._state_of(slot) == layout.STATE_FREE:
            return False
        base = self._table.base(slot)
        if now_ms() - self._table.cells[base + layout.HEARTBEAT] < STRANGER_SILENT_S * 1000:
            return True
        return is_running(self._table.cells[base + layout.PID])

    def fill(self, now_s: float) -> None:
        """Start a child in every vacant place whose time has come."""
        for place in self.places:
            if place.child is None and place.not_before_s <= now_s:
                self._start(place, now_s)

    def _start(self, place: Place, now_s: float) -> None:
        slot = NO_SLOT
        if place.role == WORKER:
            free = self.free_slots()
            if not free:
                return  # one comes free when a leaving worker ends
            slot = free[0]
            self._table.claim(slot)
        else:
            self._table.cells[_SIDE_HEARTBEATS[place.role]] = 0
        context = Context(
            *(place.settings, self._table, slot, place.listeners, os.getpid()),
            *(place.tls, place.addresses, place.cache),
        )
        try:
            pid = fork(place.role, self._roles[place.role], context, lambda: self._become_child(place.listeners))
        except OSError as error:
            self._vacate(place, now_s, now_s)
            self._free(place.role, slot)
            log.error(
                "cannot start a process", extra={"role": place.role, "reason": error.strerror, **_wait(place, now_s)}
            )
            return
        hang_s = place.settings.gproxy.hang_timeout_s
        if place.role != WORKER:
            hang_s *= SIDE_HANG_FACTOR
        place.child = Child(place.role, slot, pid, now_s, hang_s)
        if slot == NO_SLOT:
            self._table.cells[_SIDE_PIDS[place.role]] = pid
        else:
            self._table.cells[self._table.base(slot) + layout.PID] = pid
        log.info("%s started", place.child.name, extra={"pid": pid})
        if place.failures:
            self._tell(place.child, ProcessCause.REPLACED, 0)

    def dismiss(self, child: Child, number: int, leave_by_s: float | None) -> None:
        """Tell a child to end by a signal, and kill it after `leave_by_s` (None: never)."""
        child.is_dismissed = True
        child.leave_by_s = leave_by_s
        child.send(number)

    def remove(self, place: Place, number: int, leave_by_s: float | None) -> None:
        """Give up a place; its child, if any, is dismissed."""
        self.places.remove(place)
        if place.child is not None:
            self.leaving.append(place.child)
            self.dismiss(place.child, number, leave_by_s)

    def reap(self, now_s: float) -> list[Departure]:
        """Collect the children that have ended and free what they held."""
        found = []
        for child in list(self.children()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                found.append(self._bury(child, status, now_s))
        return found

    def _bury(self, child: Child, status: int, now_s: float) -> Departure:
        self._free(child.role, child.slot)
        reason = describe_exit(status)
        if child in self.leaving:
            self.leaving.remove(child)
            log.info("%s has ended", child.name, extra={"pid": child.pid})
            return Departure(child, None, reason)
        place = next(place for place in self.places if place.child is child)
        if child.is_dismissed:  # the place goes on with new settings, if any
            place.child, place.failures, place.not_before_s = None, 0, now_s
            return Departure(child, None, reason)
        self._vacate(place, child.born_s, now_s)
        self._table.cells[layout.WORKER_RESTARTS] += child.role == WORKER
        code = os.waitstatus_to_exitcode(status)  # negative: the signal that killed it
        cause = ProcessCause.KILLED if code < 0 else ProcessCause.LEFT
        self._tell(child, ProcessCause.HUNG if child.is_hung else cause, abs(code))
        return Departure(child, place, reason)

    def _tell(self, child: Child, cause: ProcessCause, code: int) -> None:
        """Note in the master's event ring that a child has ended unasked, or has been replaced."""
        states = (ProcessState.RUNNING, ProcessState.ENDED)
        before, after = (ProcessState.NONE, ProcessState.RUNNING) if cause == ProcessCause.REPLACED else states
        slot = max(0, child.slot)
        self._ring.tell(Event(Kind.WORKER, cause, _THINGS[child.role], slot, before, after, (child.pid, code, 0)))

    def _vacate(self, place: Place, born_s: float, now_s: float) -> None:
        place.failures = 1 if now_s - born_s >= STEADY_S else place.failures + 1
        place.not_before_s = now_s + restart_delay_s(place.failures, random.random())
        place.child = None

    def _free(self, role: str, slot: int) -> None:
        if slot == NO_SLOT:
            self._table.cells[_SIDE_PIDS[role]] = 0
        else:
            self._table.release(slot)

    def is_accepting(self, place: Place) -> bool:
        """Tell whether a worker place is filled by a worker that accepts connections."""
        return place.child is not None and self._state(place.child) == layout.STATE_ACCEPTING

    def kill_hung(self, now_s: float, tick_s: float) -> None:
        """Kill children whose heart has stood still for longer than their settings allow.

        `tick_s` is how often this is called at least. After a longer pause the whole machine stood still, so
        the children are given time to show that they live.
        """
        if now_s - self._looked_s > tick_s + 1.0:
            self._awake_since_s = now_s
        self._looked_s = now_s
        for child in self.children():
            if self._is_starting(child):
                silent_s, limit_s = now_s - max(child.born_s, self._awake_since_s), BOOT_TIMEOUT_S
            else:
                # Booting may take longer than the limit: its heart is listened to only from here on.
                child.up_s = child.up_s or now_s
                silent_s, limit_s = self._silence(child), child.hang_s
            if limit_s and silent_s > limit_s:
                child.hang_s, child.is_hung = 0.0, True
                log.error(
                    "%s stands still and is killed",
                    child.name,
                    extra={"pid": child.pid, "silent_s": round(silent_s, 1), "limit_s": limit_s},
                )
                child.send(signal.SIGKILL)

    def has_beaten(self, child: Child) -> bool:
        """Tell whether a child has shown that it lives."""
        return self._beat_ms(child) > 0

    def _beat_ms(self, child: Child) -> int:
        if child.role == WORKER:
            return self._table.cells[self._table.base(child.slot) + layout.HEARTBEAT]
        return self._table.cells[_SIDE_HEARTBEATS[child.role]]

    def _silence(self, child: Child) -> float:
        """Return for how many seconds a child has not shown that it lives; 0 if it never has."""
        beat_ms = self._beat_ms(child)
        return now_ms() / 1000 - max(beat_ms / 1000, self._awake_since_s, child.up_s) if beat_ms else 0.0

    def _is_starting(self, child: Child) -> bool:
        if child.role == WORKER:
            return self._state(child) == layout.STATE_STARTING
        return not self.has_beaten(child)

    def _state(self, child: Child) -> int:
        return self._state_of(child.slot)

    def _state_of(self, slot: int) -> int:
        return self._table.cells[self._table.base(slot) + layout.STATE]

    def kill_overdue(self, now_s: float) -> None:
        """Kill dismissed children that have not ended in time."""
        for child in self.children():
            if child.leave_by_s is not None and child.leave_by_s <= now_s:
                log.warning("%s did not end in time and is killed", child.name, extra={"pid": child.pid})
                child.leave_by_s = None
                child.send(signal.SIGKILL)

    def next_event_s(self) -> float | None:
        """Return the earliest time at which `fill` or `kill_overdue` has something to do, None if never."""
        times = [place.not_before_s for place in self.places if place.child is None]
        times += [child.leave_by_s for child in self.children() if child.leave_by_s is not None]
        return min(times, default=None)


def _wait(place: Place, now_s: float) -> dict[str, float]:
    return {"again_in_s": round(place.not_before_s - now_s, 1)}
