"""What the master hands to a child process, and what the child answers with."""

import socket
from dataclasses import dataclass

from gproxy.settings import Settings
from gproxy.shared.table import Table

#: Exit code of a child that could not boot and has already logged why. Any other early death is reported by
#: the master itself.
EXIT_BOOT_FAILED = 3

#: `Context.slot` of the roles that exist once per node (sync and monitor).
NO_SLOT = -1


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a role needs, given to `run(context)` in the child after the fork.

    `slot` is the worker's row in `table` (`NO_SLOT` for sync and monitor). `listeners` are non-blocking
    listening sockets: the public ones for a worker, the control one for the monitor, none for sync.
    A child leaves when `os.getppid()` is no longer `master_pid`.
    """

    settings: Settings
    table: Table
    slot: int
    listeners: tuple[socket.socket, ...]
    master_pid: int
