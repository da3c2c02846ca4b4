"""Roles without a gateway in them, to watch the master alone: `python -m tests.master.fakes` is `gproxy` with them.

The worker answers each connection's line: `pid` with its process id, slot and number of listeners; `wait` with
`done` once it is told to drain; `hang` by standing still; `exit` by leaving with code 7. How roles boot is said
by a file `boot-ROLE` in the run_dir: `refuse`, `crash` or `stall`.
"""

import errno
import logging
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

from gproxy import logs
from gproxy.__main__ import main
from gproxy.role import EXIT_BOOT_FAILED, Context
from gproxy.shared import layout
from gproxy.shared.table import now_ms

log = logging.getLogger(__name__)

FAKES: Final = {
    "worker": "tests.master.fakes:worker",
    "sync": "tests.master.fakes:side",
    "monitor": "tests.master.fakes:side",
}
TURN_S: Final = 0.05
#: Names in the environment a file: while it is there, no process can be started.
NO_FORK: Final = "GPROXY_TEST_NO_FORK"


class Signals:
    """The signals a role has received."""

    def __init__(self) -> None:
        self.is_draining = False
        signal.signal(signal.SIGTERM, self._drain)
        signal.signal(signal.SIGQUIT, self._leave)
        signal.signal(signal.SIGUSR1, self._reopen)

    def _drain(self, *_: object) -> None:
        self.is_draining = True

    def _leave(self, *_: object) -> None:
        os._exit(0)

    def _reopen(self, *_: object) -> None:
        logs.reopen()
        log.info("reopened")


def boot(context: Context, role: str) -> int:
    """Do what the test asked for; return the exit code to leave with, 0 to go on."""
    wish = context.settings.gproxy.run_dir / f"boot-{role}"

    def read() -> str:
        return wish.read_text() if wish.exists() else ""

    text = read()
    if text == "refuse":
        log.error("cannot open my toys")
        return EXIT_BOOT_FAILED
    if text == "crash":
        raise RuntimeError("boom")
    while read() == "stall" and os.getppid() == context.master_pid:
        time.sleep(TURN_S)
    return 0


def side(context: Context) -> int:
    """Be sync or monitor: be there."""
    signals = Signals()
    if code := boot(context, "side"):
        return code
    log.info("side is up", extra={"listeners": len(context.listeners), "level": context.settings.log.level})
    heartbeat = layout.MONITOR_HEARTBEAT if context.listeners else layout.SYNC_HEARTBEAT
    while not signals.is_draining and os.getppid() == context.master_pid:
        context.table.cells[heartbeat] = now_ms()
        time.sleep(TURN_S)
    return 0


def worker(context: Context) -> int:
    """Be a worker that answers lines."""
    signals = Signals()
    if code := boot(context, "worker"):
        return code
    cells, base = context.table.cells, context.table.base(context.slot)
    cells[base + layout.STATE] = layout.STATE_ACCEPTING
    clients: list[socket.socket] = []
    waiting: list[socket.socket] = []
    while True:
        cells[base + layout.HEARTBEAT] = now_ms()
        is_alone = os.getppid() != context.master_pid
        is_draining = signals.is_draining or is_alone
        open_to = [] if is_draining else list(context.listeners)
        if is_draining:
            cells[base + layout.STATE] = layout.STATE_DRAINING
            if not clients and (is_alone or not stay(context)):
                for client in waiting:
                    client.sendall(b"done\n")
                return 0
        for sock in readable([*open_to, *clients]):
            if sock in open_to:
                try:
                    client, _ = sock.accept()
                except BlockingIOError:
                    continue
                cells[base + layout.ACCEPTED] += 1
                clients.append(client)
            else:
                clients.remove(sock)
                answer(context, sock, waiting)


def readable(socks: list[socket.socket]) -> list[socket.socket]:
    """Wait a turn until some can be read."""
    poll = select.poll()
    for sock in socks:
        poll.register(sock, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(TURN_S * 1000)}
    return [sock for sock in socks if sock.fileno() in ready]


def stay(context: Context) -> bool:
    """Tell whether the test wants workers that do not end when told to."""
    return (context.settings.gproxy.run_dir / "stay").exists()


def answer(context: Context, client: socket.socket, waiting: list[socket.socket]) -> None:
    """Do what a client's line says."""
    line = client.recv(100)
    if line == b"hang\n":
        time.sleep(60)
    elif line == b"exit\n":
        os._exit(7)
    elif line == b"wait\n":
        waiting.append(client)
        client.sendall(b"waiting\n")
    else:
        client.sendall(f"{os.getpid()} {context.slot} {len(context.listeners)}\n".encode())
        client.close()


def fork_if_allowed() -> int:
    """Fork, unless the file NO_FORK names is there."""
    if Path(os.environ[NO_FORK]).exists():
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    return real_fork()


real_fork = os.fork
if NO_FORK in os.environ:
    os.fork = fork_if_allowed


if __name__ == "__main__":
    sys.exit(main(roles=FAKES))
