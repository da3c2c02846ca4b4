"""The master's one loop: start everything, keep it running, reload it, replace it, stop it.

Signals are commands in a queue. TERM, INT, QUIT, USR1 act at once; HUP, USR2, TTIN and TTOU one after the other, each
when the one before is complete, several waiting HUPs (or USR2s) being one.
"""

import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final

from gproxy import logs
from gproxy.master.child import ROLES, WORKER
from gproxy.master.crew import Departure
from gproxy.master.generation import Generation, Unlistenable
from gproxy.master.node import NO_PROCESS, SIDE_LEAVE_S, Node, prepare_process
from gproxy.master.pidfile import AlreadyRunning, PidFile
from gproxy.master.predecessor import Predecessor
from gproxy.master.program import Program
from gproxy.master.reload import Reload
from gproxy.master.takeover import Takeover
from gproxy.master.upgrade import Progress, Upgrade
from gproxy.settings import Settings
from gproxy.shared import layout
from gproxy.shared.table import Table, now_ms

log = logging.getLogger(__name__)

#: How often a quiet master looks at heartbeats.
TICK_S: Final = 0.5
#: How often it looks at the state of what is starting: workers say so in shared memory only.
BOOT_TICK_S: Final = 0.02
#: How long a start waits for sync and monitor: one that cannot boot has said so by then.
SIDE_BOOT_S: Final = 10.0
#: What a child gets that is told to stop at once.
AT_ONCE_S: Final = 2.0
#: Commands of which several that wait are one.
_ONCE: Final = (signal.SIGHUP, signal.SIGUSR2)


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
    UPGRADING = auto()
    STOPPING = auto()


class Arbiter:
    """Supervises one gateway from `run` until it is told to stop.

    `load` reads the settings again for HUP. `program` is started by USR2. `predecessor` is a running program that this
    one is to replace.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        program: Program,
        roles: Mapping[str, str] = ROLES,
        predecessor: Predecessor | None = None,
    ) -> None:
        self._first_settings = settings
        self._load = load
        self._program = program
        self._roles = roles
        self._predecessor = predecessor
        self._phase = Phase.STARTING
        self._began_s = time.monotonic()
        self._commands: deque[int] = deque()
        self._failure: str | None = None
        self._takeover: Takeover | None = None
        self._upgrade: Upgrade | None = None  # the one that goes on, or was completed
        self._failed: list[Upgrade] = []  # of these the new programs have not ended yet
        self._successor = 0

    def run(self) -> int:
        """Run the gateway and return its exit code. Raises StartError before anything is served."""
        settings = self._first_settings
        run_dir = settings.gproxy.run_dir
        pid_file = PidFile(run_dir)
        try:
            logs.setup(settings, "master")
        except OSError as error:
            raise StartError(f"[log] file = {settings.log.file}: cannot be opened: {error.strerror}") from None
        logs.catch_strays()
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            is_shared = self._predecessor is not None and pid_file.inherit(self._predecessor.pid_file_fd)
            if self._predecessor is None:
                pid_file.acquire()
        except AlreadyRunning as error:
            raise StartError(str(error)) from None
        except OSError as error:
            raise StartError(f"[gproxy] run_dir = {run_dir}: cannot be used: {error.strerror}") from None
        try:
            self._open(pid_file, is_shared)
            try:
                self._supervise()
            finally:
                self._node.close()
        finally:
            pid_file.release()
        if self._failure:
            raise StartError(self._failure)
        log.info("stopped")
        return 0

    def _open(self, pid_file: PidFile, is_pid_file_shared: bool) -> None:
        """Open sockets and shared memory, or take them over, and make the places. Raises StartError."""
        settings, predecessor = self._first_settings, self._predecessor
        prepare_process()
        try:
            generation = Generation.open(settings, predecessor.listeners if predecessor else ())
        except Unlistenable as error:
            raise StartError(*error.problems) from None
        inherited = predecessor.table(settings.gproxy.workers) if predecessor else None
        try:
            table = inherited or Table.create(max(layout.DEFAULT_SLOTS, 4 * settings.gproxy.workers))
        except OSError as error:
            generation.close_unless_in(None)
            raise StartError(f"cannot make the shared memory: {error.strerror}") from None
        self._node = Node(generation, table, self._roles, pid_file)
        self._reload = Reload(self._node, self._load)
        if inherited is None:
            self._node.set_wanted()
        if predecessor is None:
            self._node.want_sides()
        else:
            self._takeover = Takeover(self._node, predecessor, inherited is not None, is_pid_file_shared)
        self._node.signals.install()

    def _supervise(self) -> None:
        """Loop until every child has ended after a stop."""
        node = self._node
        while not self._is_done():
            for number in node.signals.wait(self._pause_s()):
                self._receive(number)
            now_s = time.monotonic()
            node.table.cells[layout.MASTER_HEARTBEAT] = now_ms()
            node.notifier.feed_watchdog(now_s)
            for departure in node.crew.reap(now_s):
                self._note_departure(departure, now_s)
            node.crew.kill_hung(now_s, TICK_S)
            node.crew.kill_overdue(now_s)
            node.crew.free_strangers()
            self._tend_failed_upgrades(now_s)
            if self._takeover and (self._takeover.is_in_charge or self._phase is not Phase.STOPPING):
                self._take_over(self._takeover, now_s)
            if self._phase is Phase.STOPPING:
                self._dismiss_sides_last(now_s)
                continue
            node.tend_sides()
            node.crew.fill(now_s)
            self._advance(now_s)

    def _is_done(self) -> bool:
        """Tell whether a stop is complete: no child is left, no program that failed to take over, and none that this
        one has replaced and that is still finishing its requests.
        """
        if self._phase is not Phase.STOPPING or any(self._node.crew.children()):
            return False
        return not self._failed and not (self._takeover and self._takeover.is_in_charge)

    def _pause_s(self) -> float:
        if self._phase in (Phase.STARTING, Phase.RELOADING, Phase.UPGRADING) or self._failed:
            return BOOT_TICK_S
        next_s = self._node.crew.next_event_s()
        return TICK_S if next_s is None else min(TICK_S, max(0.0, next_s - time.monotonic()))

    def _advance(self, now_s: float) -> None:
        """Go on with what is going on; when nothing is, begin the next command."""
        node = self._node
        if self._phase is Phase.STARTING and self._takeover is None and node.all_accept() and self._has_sides(now_s):
            self._phase = Phase.RUNNING
            node.announce("ready")
        elif self._phase is Phase.RELOADING:
            self._reload.step(now_s)
            if not self._reload.is_going_on:
                self._phase = Phase.RUNNING
        elif self._phase is Phase.UPGRADING and self._upgrade:
            self._go_on_upgrading(self._upgrade, now_s)
        if self._phase is Phase.RUNNING and self._commands:
            self._obey(now_s)

    def _has_sides(self, now_s: float) -> bool:
        """Tell whether sync and monitor run; requests need neither, so they are not waited for without end."""
        return self._node.sides_are_up() or now_s - self._began_s > SIDE_BOOT_S

    # -- signals -----------------------------------------------------------------------------------------------

    def _receive(self, number: int) -> None:
        """Act on a signal, or put it in the queue of commands."""
        if number == signal.SIGTERM:
            self._stop(at_once=False)
        elif number in (signal.SIGINT, signal.SIGQUIT):
            self._stop(at_once=True)
        elif number == signal.SIGUSR1:
            logs.reopen()
            for child in self._node.crew.children():
                child.send(signal.SIGUSR1)
            log.info("log files reopened")
        elif number == signal.SIGCHLD or (number in _ONCE and number in self._commands):
            return
        elif self._phase is Phase.STOPPING:
            name = signal.Signals(number).name.removeprefix("SIG")
            log.warning("%s ignored: this program is about to end", name, extra={"successor": self._successor})
        else:
            self._commands.append(number)

    def _obey(self, now_s: float) -> None:
        """Carry out the next command; what has no room yet stays the next one."""
        number = self._commands[0]
        if number == signal.SIGHUP and not self._reload.begin():
            return
        if number == signal.SIGUSR2 and not self._node.finds_room(len(self._node.generation.workers), "upgrade"):
            return
        self._commands.popleft()
        if number == signal.SIGHUP and self._reload.is_going_on:
            self._phase = Phase.RELOADING
        elif number == signal.SIGUSR2:
            self._phase = Phase.UPGRADING
            self._upgrade = Upgrade(self._node, self._program)
            self._upgrade.begin(now_s)
        elif number == signal.SIGTTIN:
            self._add_worker()
        elif number == signal.SIGTTOU:
            self._remove_worker(now_s)

    def _add_worker(self) -> None:
        workers = len(self._node.generation.workers)
        if workers >= self._node.most_workers():
            log.warning("TTIN ignored: there are as many workers as can be", extra={"workers": workers})
            return
        log.info("one worker more", extra={"workers": self._node.add_worker()})

    def _remove_worker(self, now_s: float) -> None:
        if len(self._node.generation.workers) == 1:
            log.warning("TTOU ignored: only one worker is left")
            return
        log.info("one worker less", extra={"workers": self._node.remove_worker(now_s)})

    # -- upgrades ----------------------------------------------------------------------------------------------

    def _take_over(self, takeover: Takeover, now_s: float) -> None:
        """Go on with replacing another program, until that has ended."""
        takeover.step(now_s)
        if self._phase is Phase.STARTING and takeover.is_in_charge:
            self._phase = Phase.RUNNING
            self._node.announce("ready", replaced=takeover.pid)
        elif self._phase is Phase.STARTING and any(place.failures for place in self._node.crew.places):
            self._failure = NO_PROCESS
            self._stop(at_once=False)
        if takeover.is_in_charge and takeover.is_over:
            takeover.close()
            self._takeover = None

    def _go_on_upgrading(self, upgrade: Upgrade, now_s: float) -> None:
        progress = upgrade.step(now_s)
        if progress is Progress.FAILED:
            self._phase = Phase.RUNNING
            self._upgrade = None
            self._failed.append(upgrade)
        elif progress is Progress.HANDED_OVER:
            self._successor = upgrade.pid
            self._leave(now_s)
            for number in self._commands:  # they came for whoever is in charge
                upgrade.send(number)

    def _tend_failed_upgrades(self, now_s: float) -> None:
        for upgrade in self._failed:
            upgrade.tend(now_s)
        self._failed = [upgrade for upgrade in self._failed if upgrade.pid]

    # -- the end -----------------------------------------------------------------------------------------------

    def _note_departure(self, departure: Departure, now_s: float) -> None:
        """Act on a child that ended unasked: a failed start, a failed reload, or one to be replaced."""
        place, name, reason = departure.place, departure.child.name, departure.reason
        if place is None or self._phase is Phase.STOPPING:
            return
        if self._phase is Phase.STARTING:
            self._failure = f"{name} {reason}"
            self._stop(at_once=self._takeover is None)
        elif self._reload.concerns(place):
            self._reload.abandon(f"{name} {reason}", now_s)
            self._phase = Phase.RUNNING
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
        node = self._node
        if self._phase is not Phase.STOPPING:
            if self._takeover and not self._takeover.is_in_charge:
                self._takeover.fail(self._failure or "it was told to stop")
            else:
                node.table.cells[layout.WORKERS_WANTED] = 0
                node.notifier.stopping("stopping")
            log.info("stopping", extra={"how": "at once" if at_once else "when requests are finished"})
            if self._upgrade:
                self._upgrade.send(signal.SIGTERM)
                self._upgrade.end_by(node.leave_by_s(node.generation, now_s))
                self._failed.append(self._upgrade)
            self._leave(now_s)
        if at_once:
            for child in node.crew.children():
                node.crew.dismiss(child, signal.SIGQUIT, now_s + AT_ONCE_S)
            for upgrade in self._failed:
                upgrade.send(signal.SIGQUIT)
                upgrade.end_by(now_s + AT_ONCE_S)
            if self._takeover:
                self._takeover.hurry(signal.SIGQUIT)

    def _leave(self, now_s: float) -> None:
        """Let every worker finish what it has in hand."""
        node = self._node
        self._phase = Phase.STOPPING
        # Our copies keep the queues of the sockets alive: without this, connections would enter a queue
        # that nobody accepts from any more, instead of being refused.
        node.close_public_listeners()
        node.let_go(node.generation, [place for place in node.crew.places if place.role == WORKER], now_s)

    def _dismiss_sides_last(self, now_s: float) -> None:
        """End sync and monitor when the workers are gone: until then a health check hears "stopping"."""
        children = list(self._node.crew.children())
        if all(child.role != WORKER for child in children):
            for child in children:
                if not child.is_dismissed:
                    self._node.crew.dismiss(child, signal.SIGTERM, now_s + SIDE_LEAVE_S)
