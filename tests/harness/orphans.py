"""Processes that outlive their parents, kept in sight: this process takes them in, as the init process would."""

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator

#: Linux, linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def adopted() -> Iterator[None]:
    """Be the parent of every process below this one that loses its own, and wait for those that end."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def wait_for(pid: int, within_s: float) -> int:
    """Wait for the end of a process whose parent has ended and return its exit code. Raises TimeoutError."""
    give_up_s = time.monotonic() + within_s
    while time.monotonic() < give_up_s:
        with contextlib.suppress(ChildProcessError):  # its parent has not ended yet
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    raise TimeoutError(f"process {pid} has not ended within {within_s} s")
