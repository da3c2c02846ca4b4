"""The servers behind the proxies, on the load core."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark import configuration, slow_backend
from scripts.benchmark.configuration import Setup
from scripts.benchmark.process import cores, wait_until_serving
from scripts.processes import free_ports, started

SLOW_MS = 20


@dataclass(frozen=True, slots=True)
class Backends:
    """Ports of the two servers of each kind."""

    fast: tuple[int, int]
    slow: tuple[int, int]

    def behind(self, setup: Setup) -> tuple[int, int]:
        """Return the two servers that a setup wants behind the proxies."""
        return self.slow if setup.is_slow else self.fast


@contextlib.contextmanager
def running(nginx: str, folder: Path) -> Iterator[Backends]:
    """Run nginx as two fast servers and the delaying program as two slow ones."""
    first, second, third, fourth = free_ports(4)
    backends = Backends((first, second), (third, fourth))
    folder.mkdir()
    (folder / "10k").write_bytes(b"0123456789" * 1024)
    (folder / "1m").write_bytes(b"0123456789abcdef" * 65536)
    (folder / "nginx.conf").write_text(configuration.nginx_backend(folder, backends.fast))
    log = folder / "backends.log"
    fast = [nginx, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    slow = [sys.executable, slow_backend.__file__, str(SLOW_MS), *map(str, backends.slow)]
    load_core = cores()[1]
    with started(fast, log, load_core) as fast_process, started(slow, log, load_core) as slow_process:
        wait_until_serving(fast_process, first, "/small", log)
        wait_until_serving(slow_process, third, "/small", log)
        yield backends
