"""Processes that these scripts start: never left behind, however the script ends."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

STOP_TIMEOUT_S = 10.0
PR_SET_PDEATHSIG = 1  # prctl(2): the kernel sends this signal when the parent dies
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def started(command: Sequence[str | Path], log: Path, core: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, its output in `log`, on one core when given; on leaving, stop it and all its children.

    It is the leader of its own session, so that Ctrl-C reaches this program only, which decides what to stop.
    """

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if core is not None:
            os.sched_setaffinity(0, {core})

    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 -- these programs have no threads
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it and its children when it does not."""
    family = descendants(process.pid)
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def descendants(pid: int) -> list[psutil.Process]:
    """Return the living children of a process and theirs."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_ports(count: int) -> list[int]:
    """Return that many loopback ports that nobody listens on at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
