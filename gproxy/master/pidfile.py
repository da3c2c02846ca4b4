"""The pid file, which is also the lock that keeps two masters out of one run_dir.

The lock is on the open file, so it ends with the process however that dies; a left-over file means nothing. A program
that replaces another one in the same run_dir is given the open file, lock and all, and writes its pid over the other's
when it is in charge. Meanwhile the old one can be found in the file beside it.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

NAME: Final = "gproxy.pid"
#: Of a program that has been replaced and finishes what it has in hand; named as by nginx.
OLD_NAME: Final = "gproxy.pid.oldbin"
#: `gproxy -t` holds the lock for a moment to see whether anybody does.
_PATIENCE_S: Final = 0.2


class AlreadyRunning(Exception):
    """A living master holds the run_dir; the text is one line with its pid."""


class PidFile:
    """`run_dir/gproxy.pid` of this process, held from `acquire` (or `inherit`) to `release`."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / NAME
        self._old_path = run_dir / OLD_NAME
        self._fd = -1
        self._is_ours = False

    def acquire(self) -> None:
        """Lock the file and write our pid into it. Raises AlreadyRunning, OSError."""
        give_up_s = time.monotonic() + _PATIENCE_S
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still_at(fd, self.path):
                    break
            except BlockingIOError:
                if time.monotonic() > give_up_s:
                    pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
                    os.close(fd)
                    raise AlreadyRunning(f"{self.path}: another gproxy runs in this run_dir, pid {pid}") from None
                time.sleep(_PATIENCE_S / 10)
            os.close(fd)  # or its last holder removed it between our open and our lock
        self._fd = fd
        try:
            self.sign()
        except OSError:
            self.become_child()
            raise

    def inherit(self, fd: int) -> bool:
        """Hold the file together with the program that has it open as `fd`, which is ours now, until `sign`.

        When that program runs in another run_dir, this is an `acquire`, and False. Raises AlreadyRunning, OSError.
        """
        if _is_still_at(fd, self.path):
            self._fd = fd
            return True
        os.close(fd)
        self.acquire()
        return False

    def sign(self) -> None:
        """Write our pid into the file: this process is in charge. Raises OSError."""
        # In this order whoever reads meanwhile finds the one pid or the other in the first line.
        text = f"{os.getpid()}\n".encode("ascii")
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))
        self._is_ours = True

    def fileno(self) -> int:
        """Return the descriptor of the open file."""
        return self._fd

    def hand_over(self) -> None:
        """Leave the file to the program that has inherited it, and note our pid beside it until `release`."""
        self._is_ours = False
        with contextlib.suppress(OSError):  # it is there for people only
            self._old_path.write_text(f"{os.getpid()}\n", "ascii")

    def release(self) -> None:
        """Remove the file, unless it is another program's now, and let go of the lock."""
        with contextlib.suppress(OSError):
            if self._is_ours:
                if _is_still_at(self._fd, self.path):  # and not removed by hand, and made anew by another program
                    self.path.unlink()
            elif self._old_path.read_text("ascii") == f"{os.getpid()}\n":
                self._old_path.unlink()
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
