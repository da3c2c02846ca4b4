"""The pid file, which is also the lock that keeps two masters out of one run_dir.

The lock is on the open file, so it ends with the process however that dies; a left-over file means nothing.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

NAME: Final = "gproxy.pid"


class AlreadyRunning(Exception):
    """A living master holds the run_dir; the text is one line with its pid."""


class PidFile:
    """`run_dir/gproxy.pid` of this process, held from `acquire` to `release`."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / NAME
        self._fd = -1

    def acquire(self) -> None:
        """Lock the file and write our pid into it. Raises AlreadyRunning, OSError."""
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(fd, 32).decode("ascii", "replace").strip()
                os.close(fd)
                raise AlreadyRunning(f"{self.path}: another gproxy runs in this run_dir, pid {pid}") from None
            if _is_still_at(fd, self.path):
                break
            os.close(fd)  # its last holder removed it between our open and our lock
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        self._fd = fd

    def release(self) -> None:
        """Remove the file and let go of the lock."""
        self.path.unlink(missing_ok=True)
        self.become_child()

    def become_child(self) -> None:
        """Close a child's copy, which would otherwise hold the lock after the master's death."""
        os.close(self._fd)
        self._fd = -1


def is_held(run_dir: Path) -> bool:
    """Tell whether a living master holds the run_dir, without touching anything."""
    try:
        fd = os.open(run_dir / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _is_still_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
