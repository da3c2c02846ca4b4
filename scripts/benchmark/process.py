"""Processes pinned to a core: started, measured and surely stopped."""

import contextlib
import ctypes
import functools
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

PROXY_CORE = 0
LOAD_CORE = 1
STOP_TIMEOUT_S = 10.0
PR_SET_PDEATHSIG = 1  # prctl(2): the kernel sends this signal when the parent dies, however it dies
_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The benchmark cannot go on; the text says why and what to do."""


@functools.cache  # the answer must not change once this program has pinned itself
def cores() -> tuple[int, int]:
    """Return (core of the proxies, core of everything else); the same one on a machine with a single core."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[PROXY_CORE], usable[min(LOAD_CORE, len(usable) - 1)]


def allow_many_files() -> None:
    """Raise the limit of open files of this process, which its children inherit, as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_ports(count: int) -> list[int]:
    """Return that many loopback ports that nobody listens on at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def started(command: Sequence[str | Path], core: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command pinned to a core, its output in `log`; on leaving, stop it and all its children."""

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, {core})

    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=prepare,  # noqa: PLW1509 -- this program has no threads
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


def cpu_s(pids: Sequence[int]) -> float:
    """Return the processor time (user and system, all threads) that these processes have used, to 1 us."""
    return sum(time.clock_gettime(process_clock(pid)) for pid in pids)


def process_clock(pid: int) -> int:
    """Return the id of another process's CPU clock: what clock_getcpuclockid(3) computes on Linux."""
    return (~pid << 3) | 2


def core_busy_s(core: int) -> float:
    """Return how long a core has been busy since boot, in seconds (exact to 10 ms)."""
    times = psutil.cpu_times(percpu=True)[core]
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(psutil.Process(pid).memory_info().rss)


def wait_until_serving(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    """Return once a GET is answered 200; raises BenchError with the log's end when it never is."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(request)
                if connection.recv(65536).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    ending = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise BenchError(f"{process.args!r} does not serve {path} on port {port}:\n{ending}")
