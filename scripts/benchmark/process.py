"""What the benchmark asks of processes and cores."""

import functools
import os
import resource
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

PROXY_CORE = 0
LOAD_CORE = 1


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


def connect(port: int, speaks_tls: bool) -> socket.socket:
    """Open a connection to a proxy; whose certificate it shows is no matter. Raises OSError."""
    connection = socket.create_connection(("127.0.0.1", port), 5)
    if not speaks_tls:
        return connection
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection)


def wait_until_serving(
    process: subprocess.Popen[bytes], port: int, path: str, log: Path, speaks_tls: bool = False
) -> None:
    """Return once a GET is answered 200; raises BenchError with the log's end when it never is."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with connect(port, speaks_tls) as connection:
                connection.sendall(request)
                if connection.recv(65536).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    ending = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise BenchError(f"{process.args!r} does not serve {path} on port {port}:\n{ending}")
