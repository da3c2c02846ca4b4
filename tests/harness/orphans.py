"""Processes that outlive their parents, kept in sight: this process takes them in, as the init process would."""

import contextlib
import ctypes
import os
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
