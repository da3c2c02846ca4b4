"""What a process takes of the machine, as psutil sees it."""

from typing import NamedTuple

import psutil


class Used(NamedTuple):
    """User and system time so far, and resident memory; shared pages count for every process that touched them."""

    cpu_s: float
    memory_bytes: int


def resources(pid: int) -> Used | None:
    """Return what a process takes, None when it is gone."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return Used(times.user + times.system, process.memory_info().rss)
    except psutil.Error:
        return None
