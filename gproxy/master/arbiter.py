"""The master's one loop: start everything, keep it running, reload it, stop it.

Signals are commands in a queue. TERM, INT, QUIT, USR1 act at once; HUP, TTIN and TTOU one after the other, each
when the one before is complete, several waiting HUPs being one. A reload builds a complete new generation of
workers beside the running one and dismisses the old one when the new one accepts, so it can fail without harm.
"""

import logging
import os
import resource
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from gproxy import logs
from gproxy.core.events import Event, Kind, ReloadCause
from gproxy.master.child import MONITOR, ROLES, SYNC, WORKER, name_process
from gproxy.master.crew import KILL_SLACK_S, Crew, Departure, Place
from gproxy.master.generation import Generation, Unlistenable
from gproxy.master.pidfile import AlreadyRunning, PidFile
from gproxy.master.signals import SignalQueue
from gproxy.settings import Settings, SettingsError
from gproxy.settings_values import MAX_WORKERS
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table, now_ms

log = logging.getLogger(__name__)

#: How often a quiet master looks at heartbeats.
TICK_S: Final = 0.5
#: How often it looks at the state of workers that are starting: they say so in shared memory only.
BOOT_TICK_S: Final = 0.02
#: What a child gets that is told to stop at once.
AT_ONCE_S: Final = 2.0
#: sync and monitor have nothing to finish.
SIDE_LEAVE_S: Final = 5.0
#: Each leaving worker is a process of some 30 MB: a burst of reloads must not fill the memory with them.
MOST_LEAVING_GENERATIONS: Final = 4


class StartError(Exception):
    """gproxy cannot start; `problems` has one line for each reason."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Phase(Enum):
    """What the master is doing."""

    STARTING = auto()
    RUNNING = auto()
    RELOADING = auto()
    STOPPING = auto()


class Arbiter:
    """Supervises one gateway from `run` until it is told to stop. `load` reads the settings again for HUP."""

    def __init__(self, settings: Settings, load: Callable[[], Settings], roles: Mapping[str, str] = ROLES) -> None:
        self._load = load
        self._roles = roles
        self._phase = Phase.STARTING
        self._commands: deque[int] = deque()
        self._first_settings = settings
        self._next: Generation | None = None
        self._failure: str | None = None
        self._signals = SignalQueue()
        self._sides: list[Place] = []
        self._is_waiting_for_room = False

    def run(self) -> int:
        """Run the gateway and return its exit code. Raises StartError before anything is served."""
        settings = self._first_settings
        run_dir = settings.gproxy.run_dir
        self._pid_file = PidFile(run_dir)
        try:
            logs.setup(settings, "master")
        except OSError as error:
            raise StartError(f"[log] file = {settings.log.file}: cannot be opened: {error.strerror}") from None
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            self._pid_file.acquire()
        except AlreadyRunning as error:
            raise StartError(str(error)) from None
        except OSError as error:
            raise StartError(f"[gproxy] run_dir = {run_dir}: cannot be used: {error.strerror}") from None
        try:
            self._open()
            try:
                self._supervise()
            finally:
                for generation in (self._generation, self._next):
                    if generation:
                        generation.close_unless_in(None)
                self._signals.close()
                self._table.close()
        finally:
            self._pid_file.release()
        if self._failure:
            raise StartError(self._failure)
        log.info("stopped")
        return 0

    def _open(self) -> None:
        """Open sockets and shared memory and make the places. Raises StartError."""
        settings = self._first_settings
        name_process("master")
        _raise_file_limit()
        try:
            self._generation = Generation.open(settings)
        except Unlistenable as error:
            raise StartError(*error.problems) from None
        slots = max(layout.DEFAULT_SLOTS, 4 * settings.gproxy.workers)
        try:
            self._table = Table.create(slots)
        except OSError as error:
            self._generation.close_unless_in(None)
            raise StartError(f"cannot make the shared memory: {error.strerror}") from None
        self._ring = RingWriter(self._table, slots + layout.RING_MASTER)
        self._crew = Crew(self._table, self._roles, self._become_child)
        self._sides = [
            Place(SYNC, settings),
            Place(MONITOR, settings, (self._generation.control.socket,)),
        ]
        self._crew.places = [*self._sides, *self._generation.workers]
        self._set_wanted()
        self._signals.install()

    def _become_child(self, keep: Iterable[socket.socket]) -> None:
        """Drop in a child what is the master's alone."""
        self._signals.become_child()
        self._pid_file.become_child()
        kept = {id(sock) for sock in keep}
        for generation in (self._generation, self._next):
            for listener in generation.all_listeners() if generation else ():
                if id(listener.socket) not in kept:
                    listener.close(unlink=False)

    def _supervise(self) -> None:
        """Loop until every child has ended after a stop."""
        while self._phase is not Phase.STOPPING or any(self._crew.children()):
            for number in self._signals.wait(self._pause_s()):
                self._receive(number)
            now_s = time.monotonic()
            self._table.cells[layout.MASTER_HEARTBEAT] = now_ms()
            for departure in self._crew.reap(now_s):
                self._note_departure(departure, now_s)
            self._crew.kill_hung(now_s, TICK_S)
            self._crew.kill_overdue(now_s)
            if self._phase is Phase.STOPPING:
                self._dismiss_sides_last(now_s)
                continue
            self._crew.fill(now_s)
            if self._phase is Phase.STARTING and self._all_accept(self._generation):
                self._phase = Phase.RUNNING
                self._announce("ready")
            elif self._phase is Phase.RELOADING and self._next and self._all_accept(self._next):
                self._switch(self._generation, self._next, now_s)
            if self._phase is Phase.RUNNING and self._commands:
                self._obey(now_s)

    def _pause_s(self) -> float:
        if self._phase in (Phase.STARTING, Phase.RELOADING):
            return BOOT_TICK_S
        next_s = self._crew.next_event_s()
        return TICK_S if next_s is None else min(TICK_S, max(0.0, next_s - time.monotonic()))

    def _receive(self, number: int) -> None:
        """Act on a signal, or put it in the queue of commands."""
        if number == signal.SIGTERM:
            self._stop(at_once=False)
        elif number in (signal.SIGINT, signal.SIGQUIT):
            self._stop(at_once=True)
        elif number == signal.SIGUSR1:
            logs.reopen()
            for child in self._crew.children():
                child.send(signal.SIGUSR1)
            log.info("log files reopened")
        elif number == signal.SIGUSR2:
            log.warning("USR2 does nothing: this version cannot replace its program, restart it instead")
        elif number in (signal.SIGTTIN, signal.SIGTTOU) or (
            number == signal.SIGHUP and signal.SIGHUP not in self._commands
        ):
            self._commands.append(number)

    def _obey(self, now_s: float) -> None:
        """Carry out the next command; a reload that has no room yet stays the next one."""
        number = self._commands[0]
        if number == signal.SIGHUP and not self._reload():
            return
        self._commands.popleft()
        if number == signal.SIGTTIN:
            self._add_worker()
        elif number == signal.SIGTTOU:
            self._remove_worker(now_s)

    def _add_worker(self) -> None:
        workers = self._generation.workers
        if len(workers) >= self._most_workers():
            log.warning("TTIN ignored: there are as many workers as can be", extra={"workers": len(workers)})
            return
        place = self._generation.worker_place()
        workers.append(place)
        self._crew.places.append(place)
        self._set_wanted()
        log.info("one worker more", extra={"workers": len(workers)})

    def _remove_worker(self, now_s: float) -> None:
        workers = self._generation.workers
        if len(workers) == 1:
            log.warning("TTOU ignored: only one worker is left")
            return
        self._crew.remove(workers.pop(), signal.SIGTERM, _leave_by_s(self._generation, now_s))
        self._set_wanted()
        log.info("one worker less", extra={"workers": len(workers)})

    def _reload(self) -> bool:
        """Read the settings again and start a generation of workers with them; return False to try later."""
        try:
            settings = self._keep_run_dir(self._load())
            if settings.gproxy.workers > self._most_workers():
                raise SettingsError(
                    [f"[gproxy] workers: a running gproxy takes at most {self._most_workers()}, restart it"]
                )
            if not self._has_room(settings.gproxy.workers):
                return False
            self._next = Generation.open(settings, self._generation)
        except (SettingsError, Unlistenable) as error:
            for problem in error.problems:
                log.error(problem)
            log.error("reload refused, the old settings stay", extra={"problems": len(error.problems)})
            self._ring.tell(Event(Kind.RELOAD, ReloadCause.REFUSED, figures=(len(error.problems), 0, 0)))
            return True
        self._is_waiting_for_room = False
        self._crew.places += self._next.workers
        self._phase = Phase.RELOADING
        log.info("reload: settings are good, starting new workers", extra={"workers": len(self._next.workers)})
        return True

    def _has_room(self, workers: int) -> bool:
        """Tell whether a new generation finds slots, and leaving workers are few enough for the memory."""
        leaving = len(self._crew.leaving)
        if len(self._crew.free_slots()) > workers and leaving <= MOST_LEAVING_GENERATIONS * workers:
            return True
        if not self._is_waiting_for_room:
            self._is_waiting_for_room = True
            log.warning("reload waits until workers of earlier reloads have ended", extra={"leaving": leaving})
        return False

    def _keep_run_dir(self, settings: Settings) -> Settings:
        run_dir = self._generation.settings.gproxy.run_dir
        if settings.gproxy.run_dir != run_dir:
            log.warning("[gproxy] run_dir changes with a restart only", extra={"run_dir": run_dir})
        return replace(settings, gproxy=replace(settings.gproxy, run_dir=run_dir))

    def _switch(self, old: Generation, new: Generation, now_s: float) -> None:
        """Make the new generation, which accepts, the only one; nothing can fail any more."""
        self._generation, self._next = new, None
        for place in old.workers:
            self._crew.remove(place, signal.SIGTERM, _leave_by_s(old, now_s))
        old.close_unless_in(new)
        try:
            logs.setup(new.settings, "master")
        except OSError as error:
            log.error("cannot open the new log file", extra={"file": error.filename, "reason": error.strerror})
        for side in self._sides:
            side.settings = new.settings
            if side.role == MONITOR:
                side.listeners = (new.control.socket,)
            if side.child:
                self._crew.dismiss(side.child, signal.SIGTERM, now_s + SIDE_LEAVE_S)
        self._table.cells[layout.GENERATION] += 1
        self._phase = Phase.RUNNING
        self._set_wanted()
        self._ring.tell(Event(Kind.RELOAD, ReloadCause.DONE, figures=(len(new.workers), 0, 0)))
        self._announce("reloaded")

    def _abandon(self, new: Generation, reason: str, now_s: float) -> None:
        """Give up a reload whose workers do not start."""
        log.error("reload failed, the old settings and workers stay", extra={"reason": reason})
        for place in new.workers:  # those that accept already may have requests in hand
            self._crew.remove(place, signal.SIGTERM, _leave_by_s(new, now_s))
        new.close_unless_in(self._generation)
        self._next = None
        self._phase = Phase.RUNNING
        self._ring.tell(Event(Kind.RELOAD, ReloadCause.FAILED, figures=(len(new.workers), 0, 0)))

    def _note_departure(self, departure: Departure, now_s: float) -> None:
        """Act on a child that ended unasked: a failed start, a failed reload, or one to be replaced."""
        place, name, reason = departure.place, departure.child.name, departure.reason
        if place is None or self._phase is Phase.STOPPING:
            return
        if self._phase is Phase.STARTING:
            self._failure = f"{name} {reason}"
            self._stop(at_once=True)
        elif self._next and place in self._next.workers:
            self._abandon(self._next, f"{name} {reason}", now_s)
        else:
            log.error(
                "%s has died and is replaced",
                name,
                extra={
                    "pid": departure.child.pid,
                    "reason": reason,
                    "failures": place.failures,
                    "in_s": round(max(0.0, place.not_before_s - now_s), 1),
                },
            )

    def _stop(self, at_once: bool) -> None:
        """Begin to stop, or hurry a stop that has begun."""
        now_s = time.monotonic()
        if self._phase is not Phase.STOPPING:
            log.info("stopping", extra={"how": "at once" if at_once else "when requests are finished"})
            self._phase = Phase.STOPPING
            self._table.cells[layout.WORKERS_WANTED] = 0
            # Our copies keep the queues of the sockets alive: without this, connections would enter a queue
            # that nobody accepts from any more, instead of being refused.
            self._close_public_listeners()
            for place in [place for place in self._crew.places if place.role == WORKER]:
                self._crew.remove(place, signal.SIGTERM, _leave_by_s(self._generation, now_s))
        if at_once:
            for child in self._crew.children():
                self._crew.dismiss(child, signal.SIGQUIT, now_s + AT_ONCE_S)

    def _dismiss_sides_last(self, now_s: float) -> None:
        """End sync and monitor when the workers are gone: until then a health check hears "stopping"."""
        children = list(self._crew.children())
        if all(child.role != WORKER for child in children):
            for child in children:
                if not child.is_dismissed:
                    self._crew.dismiss(child, signal.SIGTERM, now_s + SIDE_LEAVE_S)

    def _close_public_listeners(self) -> None:
        """Leave the public sockets to the workers; the control one stays for questions until the end."""
        for generation in (self._generation, self._next):
            for listener in generation.listeners if generation else ():
                listener.hold_off()
                listener.close()

    def _all_accept(self, generation: Generation) -> bool:
        return all(self._crew.is_accepting(place) for place in generation.workers)

    def _set_wanted(self) -> None:
        self._table.cells[layout.WORKERS_WANTED] = len(self._generation.workers)

    def _most_workers(self) -> int:
        """The most that leaves slots for a second generation beside the running one."""
        return min(MAX_WORKERS, self._table.slots // 2 - 1)

    def _announce(self, what: str) -> None:
        generation = self._generation
        log.info(
            what,
            extra={
                "addresses": ",".join(listener.address for listener in generation.listeners),
                "pid": os.getpid(),
                "workers": len(generation.workers),
                "control": generation.control.address,
            },
        )


def _leave_by_s(generation: Generation, now_s: float) -> float | None:
    """Return when workers dismissed now are killed: after their settings' time to drain, None for never."""
    graceful_s = generation.settings.gproxy.graceful_timeout_s
    return now_s + graceful_s + KILL_SLACK_S if graceful_s else None


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us; children inherit it. Each connection is one or two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
