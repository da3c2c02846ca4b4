"""What the master holds for the node: sockets, shared memory, processes. Who reloads and replaces works on this."""

import logging
import os
import resource
import signal
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from gproxy import logs
from gproxy.core.events import Event, Kind, ReloadCause
from gproxy.master.child import MONITOR, SYNC, WORKER, name_process
from gproxy.master.crew import KILL_SLACK_S, Crew, Place
from gproxy.master.generation import Generation
from gproxy.master.notify import Notifier
from gproxy.master.pidfile import PidFile
from gproxy.master.signals import SignalQueue
from gproxy.settings import Settings
from gproxy.settings_values import MAX_WORKERS
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table

log = logging.getLogger(__name__)

#: sync and monitor have nothing to finish.
SIDE_LEAVE_S: Final = 5.0
#: Why what cannot be forked does not start.
NO_PROCESS: Final = "no process can be started"
#: Each leaving worker is a process of some 30 MB: a burst of reloads must not fill the memory with them.
MOST_LEAVING_GENERATIONS: Final = 4


class Node:
    """One generation of workers, sync and monitor, and what they share.

    `next` is a generation that is being started beside the running one. `private` are descriptors of the master that
    no child shall have.
    """

    def __init__(self, generation: Generation, table: Table, roles: Mapping[str, str], pid_file: PidFile) -> None:
        self.generation = generation
        self.next: Generation | None = None
        self.table = table
        self.pid_file = pid_file
        self.signals = SignalQueue()
        self.notifier = Notifier()
        self.private: list[int] = []
        self.crew = Crew(table, roles, self._become_child)
        self.crew.places = [*generation.workers]
        self.sides: list[Place] = []
        self._wants_sides = False
        self._is_waiting_for_room = False
        self._ring = RingWriter(table, table.slots + layout.RING_MASTER)

    def close(self) -> None:
        """Let go of everything; the children have ended."""
        for generation in self._generations():
            generation.close_unless_in(None)
        self.signals.close()
        self.table.close()

    def _become_child(self, keep: Iterable[socket.socket]) -> None:
        """Drop in a child what is the master's alone."""
        self.signals.become_child()
        self.pid_file.become_child()
        for fd in self.private:
            os.close(fd)
        kept = {id(sock) for sock in keep}
        for generation in self._generations():
            for listener in generation.all_listeners():
                if id(listener.socket) not in kept:
                    listener.close(unlink=False)

    def _generations(self) -> list[Generation]:
        return [self.generation] if self.next is None else [self.generation, self.next]

    def close_public_listeners(self) -> None:
        """Leave the public sockets to the workers; the control one stays for questions until the end."""
        for generation in self._generations():
            for listener in generation.listeners:
                listener.hold_off()
                listener.close()

    # -- workers -----------------------------------------------------------------------------------------------

    def all_accept(self, generation: Generation | None = None) -> bool:
        """Tell whether each worker of a generation (the running one) accepts connections."""
        return all(self.crew.is_accepting(place) for place in (generation or self.generation).workers)

    def add_worker(self) -> int:
        """Make a place for one worker more; return how many there are."""
        place = self.generation.worker_place()
        self.generation.workers.append(place)
        self.crew.places.append(place)
        self.set_wanted()
        return len(self.generation.workers)

    def remove_worker(self, now_s: float) -> int:
        """Let one worker end; return how many stay."""
        self.let_go(self.generation, [self.generation.workers.pop()], now_s)
        self.set_wanted()
        return len(self.generation.workers)

    def let_go(self, generation: Generation, places: Iterable[Place], now_s: float) -> None:
        """Let workers of a generation finish what they have in hand and end."""
        leave_by_s = self.leave_by_s(generation, now_s)
        for place in list(places):
            self.crew.remove(place, signal.SIGTERM, leave_by_s)

    def leave_by_s(self, generation: Generation, now_s: float) -> float | None:
        """Return when what is told to end now is killed: after the generation's time to drain, None for never."""
        graceful_s = generation.settings.gproxy.graceful_timeout_s
        return now_s + graceful_s + KILL_SLACK_S if graceful_s else None

    def set_wanted(self) -> None:
        """Note in shared memory how many workers are meant to run."""
        self.table.cells[layout.WORKERS_WANTED] = len(self.generation.workers)

    def most_workers(self) -> int:
        """Return the most that leaves slots for a second generation beside the running one."""
        return most_workers(self.table)

    def finds_room(self, workers: int, what: str) -> bool:
        """Tell whether so many more workers find slots, and leaving ones are few enough for the memory.

        `what` has to wait if not: that is said once.
        """
        leaving = len(self.crew.leaving) + self.crew.strangers()
        if len(self.crew.free_slots()) > workers and leaving <= MOST_LEAVING_GENERATIONS * workers:
            self._is_waiting_for_room = False
            return True
        if not self._is_waiting_for_room:
            self._is_waiting_for_room = True
            log.warning("%s waits until workers of earlier reloads have ended", what, extra={"leaving": leaving})
        return False

    # -- sync and monitor --------------------------------------------------------------------------------------

    def want_sides(self) -> None:
        """Run sync and monitor from now on."""
        self._wants_sides = True

    def tend_sides(self) -> None:
        """Make places for sync and monitor if they are wanted and earlier ones are gone: there is one of each."""
        if self._wants_sides and not self.sides and self.sides_are_gone():
            settings, tls = self.generation.settings, self.generation.tls
            control, addresses = (self.generation.control.socket,), self.generation.addresses()
            self.sides = [
                Place(SYNC, settings, tls=tls, addresses=addresses),
                Place(MONITOR, settings, control, tls, cache=self.generation.cache),
            ]
            self.crew.places[:0] = self.sides  # started first: workers wait for what sync finds

    def remove_sides(self, now_s: float) -> None:
        """Give sync and monitor up; they are gone when `sides_are_gone`."""
        for side in self.sides:
            self.crew.remove(side, signal.SIGTERM, now_s + SIDE_LEAVE_S)
        self.sides = []
        self._wants_sides = False

    def renew_sides(self, now_s: float) -> None:
        """Replace sync and monitor by new ones with the settings of the running generation."""
        for side in self.sides:
            side.settings, side.tls = self.generation.settings, self.generation.tls
            if side.role == MONITOR:
                side.listeners, side.cache = (self.generation.control.socket,), self.generation.cache
            else:
                side.addresses = self.generation.addresses()
            if side.child:
                self.crew.dismiss(side.child, signal.SIGTERM, now_s + SIDE_LEAVE_S)

    def sides_are_up(self) -> bool:
        """Tell whether sync and monitor have shown that they live."""
        return bool(self.sides) and all(side.child and self.crew.has_beaten(side.child) for side in self.sides)

    def sides_are_gone(self) -> bool:
        """Tell whether there is no sync or monitor any more."""
        return all(child.role == WORKER for child in self.crew.children())

    # -- settings ----------------------------------------------------------------------------------------------

    def keep_run_dir(self, settings: Settings) -> Settings:
        """Return new settings with the run_dir that is in use."""
        run_dir = self.generation.settings.gproxy.run_dir
        if settings.gproxy.run_dir != run_dir:
            log.warning("[gproxy] run_dir changes with a restart only", extra={"run_dir": run_dir})
        return replace(settings, gproxy=replace(settings.gproxy, run_dir=run_dir))

    def log_as_told(self, settings: Settings) -> None:
        """Log as the settings say from now on, or as before if that cannot be."""
        try:
            logs.setup(settings, "master")
        except OSError as error:
            log.error("cannot open the new log file", extra={"file": error.filename, "reason": error.strerror})

    # -- telling -----------------------------------------------------------------------------------------------

    def tell(self, cause: ReloadCause, figure: int) -> None:
        """Note in the master's event ring how a reload or an upgrade went."""
        self._ring.tell(Event(Kind.RELOAD, cause, figures=(figure, 0, 0)))

    def announce(self, what: str, **more: object) -> None:
        """Log and tell the service manager that the node serves, and where."""
        generation = self.generation
        log.info(
            what,
            extra={
                "addresses": ",".join(generation.addresses()),
                "pid": os.getpid(),
                "workers": len(generation.workers),
                "control": generation.control.address,
                **more,
            },
        )
        self.say_ready()

    def say_ready(self) -> None:
        """Tell the service manager that the node serves: with new settings, or with the old ones as before."""
        addresses = ", ".join(self.generation.addresses())
        self.notifier.ready(f"{len(self.generation.workers)} workers serve {addresses}")


def most_workers(table: Table) -> int:
    """Return how many workers a table has slots for, twice over."""
    return min(MAX_WORKERS, table.slots // 2 - 1)


def prepare_process() -> None:
    """Name this process, and allow it as many open files as the system lets us; children inherit that."""
    name_process("master")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
