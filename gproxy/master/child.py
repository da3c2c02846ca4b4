"""One child process: how it is forked into its role, and what the master remembers of it."""

import contextlib
import importlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gproxy import logs
from gproxy.master.signals import HANDLED
from gproxy.role import EXIT_BOOT_FAILED, NO_SLOT, Context

log = logging.getLogger(__name__)

WORKER: Final = "worker"
SYNC: Final = "sync"
MONITOR: Final = "monitor"
_NAMED: Final = frozenset(signal.Signals)

#: Role -> "module:function" with `def function(context: Context) -> int`, imported in the child.
ROLES: Final[Mapping[str, str]] = {
    WORKER: "gproxy.worker.process:run",
    SYNC: "gproxy.sync.process:run",
    MONITOR: "gproxy.monitor.process:run",
}


@dataclass(slots=True)
class Child:
    """A running child. Times are monotonic.

    `hang_s` is how long its heart may stand still (0: for ever), `up_s` when it was first seen to have booted
    (0: not yet). `leave_by_s` is when a dismissed one is killed (None: never). `is_hung`: it was killed for
    standing still.
    """

    role: str
    slot: int
    pid: int
    born_s: float
    hang_s: float
    up_s: float = 0.0
    is_dismissed: bool = False
    is_hung: bool = False
    leave_by_s: float | None = None

    @property
    def name(self) -> str:
        """The name that the child's own log lines carry."""
        return self.role if self.slot == NO_SLOT else f"{self.role}-{self.slot}"

    def send(self, number: int) -> None:
        """Send a signal."""
        send(self.pid, number)


def send(pid: int, number: int) -> None:
    """Send a signal; a process that is gone already is not an error, it is about to be reaped."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def fork(role: str, target: str, context: Context, become_child: Callable[[], None]) -> int:
    """Start `target` ("module:function") as `role` in a new process and return its pid.

    `become_child` drops in the child what belongs to the master alone. Raises OSError when there can be no
    process more.
    """
    # A signal that came between the fork and `become_child` would run the master's handler in the child.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        pid = os.fork()
        if pid == 0:
            _live(role, target, context, become_child)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    return pid


def _live(role: str, target: str, context: Context, become_child: Callable[[], None]) -> None:
    """Be the child: never returns, and lets nothing of the master's stack run in it."""
    code = 1
    try:
        become_child()
        if os.getppid() != context.master_pid:  # killed meanwhile: others may have our slot soon
            os._exit(code)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        name_process(role, context.slot)
        logs.catch_strays()
        try:
            logs.setup(context.settings, role, context.slot)
        except OSError as error:
            log.error("cannot open the log file", extra={"file": error.filename, "reason": error.strerror})
            code = EXIT_BOOT_FAILED
        else:
            module, _, function = target.partition(":")
            code = getattr(importlib.import_module(module), function)(context)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        log.exception("%s failed", role)
    finally:
        os._exit(code)


def name_process(role: str, slot: int = NO_SLOT) -> None:
    """Show the role in `ps` and `top`. Linux shows 15 bytes and elsewhere there is no such file."""
    name = f"gproxy-{role}" if slot == NO_SLOT else f"gproxy-{role}{slot}"
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name)


def is_running(pid: int) -> bool:
    """Tell whether there is a process of this number that has not ended; if that cannot be known, there is."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True


def describe_exit(status: int) -> str:
    """Say in words how a process ended, from its wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in _NAMED else f"signal {number}"  # most real-time ones have none
        return f"killed by {name}"
    code = os.waitstatus_to_exitcode(status)
    if code == EXIT_BOOT_FAILED:
        return "could not start, its log line above says why"
    return f"left with exit code {code}"
