"""What the master hands to a child process, and what the child answers with."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gproxy.settings import Settings
from gproxy.shared.cache import CacheMemory
from gproxy.shared.table import Table
from gproxy.shared.vault import Vault

if TYPE_CHECKING:
    import ssl

#: Exit code of a child that could not boot and has already logged why. Any other early death is reported by
#: the master itself.
EXIT_BOOT_FAILED = 3

#: `Context.slot` of the roles that exist once per node (sync and monitor).
NO_SLOT = -1


#: Each front of a TlsShare serves for a day, so a ticket key that leaks opens a day of TLS 1.2 sessions, not all.
FRONT_S = 86400.0


@dataclass(frozen=True, slots=True)
class TlsShare:
    """What the processes of a generation share to speak TLS with clients; see `gproxy.certificates` for the vault.

    A *front* is a context that connections begin with. OpenSSL seals session tickets with a key of the front, so fronts
    are made before the fork: what one worker has sealed the others, and those of later generations, can open. Each
    serves for FRONT_S, one after the other, from `since_s` (monotonic) on.
    """

    vault: Vault
    fronts: tuple[ssl.SSLContext, ...]
    since_s: float


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a role needs, given to `run(context)` in the child after the fork.

    `slot` is the worker's row in `table` (`NO_SLOT` for sync and monitor). `listeners` are non-blocking
    listening sockets: the public ones for a worker (in the order of `entrances`), the control one for the monitor, none
    for sync, which gets their `addresses` instead, as binds with their real ports. `tls` is None when no address speaks
    TLS, `cache` when no answers are stored. A child leaves when `os.getppid()` is no longer `master_pid`.
    """

    settings: Settings
    table: Table
    slot: int
    listeners: tuple[socket.socket, ...]
    master_pid: int
    tls: TlsShare | None = None
    addresses: tuple[str, ...] = ()
    cache: CacheMemory | None = None
