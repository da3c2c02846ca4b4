"""The proxies under test: each with its own files, on its own port, pinned to the proxy core."""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark import certificate, configuration
from scripts.benchmark.configuration import Setup
from scripts.benchmark.process import BenchError, cores, wait_until_serving
from scripts.processes import descendants, free_ports, started

NAMES = ("nginx", "haproxy", "gproxy")
#: How the names of gproxy's workers begin in `ps`.
GPROXY_WORKER = "gproxy-worker"


@dataclass(frozen=True, slots=True)
class Contender:
    """A running proxy: the processes that carry requests, and those that only look after them."""

    name: str
    port: int
    workers: tuple[int, ...]
    supervisors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to start: `program` is a path, for gproxy also a command line with {port} {server1} {server2}."""

    name: str
    program: str
    folder: Path
    port: int
    servers: tuple[int, int]
    setup: Setup

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "output.log"

    @property
    def probe(self) -> str:
        """A path that is answered 200 once the proxy works: below the last API."""
        return f"{self.setup.prefixes[-1]}small"


@contextlib.contextmanager
def running(
    names: list[str], programs: dict[str, str], folder: Path, servers: tuple[int, int], setup: Setup
) -> Iterator[list[Contender]]:
    """Run the named proxies at the same time, all configured for one setup."""
    with contextlib.ExitStack() as stack:
        contenders = []
        for name, port in zip(names, free_ports(len(names)), strict=True):
            own = folder / name
            own.mkdir(parents=True)
            wanted = Wanted(name, programs[name], own, port, servers, setup)
            contenders.append(stack.enter_context(start(wanted)))
        yield contenders


@contextlib.contextmanager
def start(wanted: Wanted) -> Iterator[Contender]:
    """Run one proxy; it serves when this yields."""
    if wanted.setup.speaks_tls:
        certificate.write(wanted.folder / "certificates")
    is_custom = wanted.name == "gproxy" and "{port}" in wanted.program
    command = custom_command(wanted) if is_custom else COMMANDS[wanted.name](wanted)
    with started(command, wanted.log, cores()[0]) as process:
        wait_until_serving(process, wanted.port, wanted.probe, wanted.log, wanted.setup.speaks_tls)
        family = tuple(child.pid for child in descendants(process.pid))
        if is_custom:
            yield Contender(wanted.name, wanted.port, (process.pid, *family))
        elif wanted.name == "gproxy":
            workers = tuple(child.pid for child in descendants(process.pid) if child.name().startswith(GPROXY_WORKER))
            supervisors = tuple(pid for pid in (process.pid, *family) if pid not in workers)
            yield Contender(wanted.name, wanted.port, workers, supervisors)
        elif wanted.name == "nginx":
            yield Contender(wanted.name, wanted.port, family, (process.pid,))
        else:
            yield Contender(wanted.name, wanted.port, (process.pid,))


def nginx_command(wanted: Wanted) -> list[str]:
    """Write nginx's files and return its command."""
    folder = wanted.folder
    path = folder / "nginx.conf"
    path.write_text(configuration.nginx(folder, wanted.port, wanted.servers, wanted.setup))
    return [wanted.program, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(path)]


def haproxy_command(wanted: Wanted) -> list[str]:
    """Write haproxy's files and return its command."""
    path = wanted.folder / "haproxy.cfg"
    text, paths = configuration.haproxy(wanted.folder, wanted.port, wanted.servers, wanted.setup)
    path.write_text(text)
    (wanted.folder / "paths.map").write_text(paths)
    return [wanted.program, "-db", "-f", str(path)]


def gproxy_command(wanted: Wanted) -> list[str]:
    """Write gproxy's settings, apply the objects to its store and return its command."""
    folder = wanted.folder
    settings, objects = folder / "gproxy.ini", folder / "objects.json"
    settings.write_text(configuration.gproxy_settings(folder, wanted.port, wanted.setup))
    objects.write_text(configuration.gproxy_objects(wanted.servers, wanted.setup))
    ctl = Path(wanted.program).with_name("gproxyctl")
    command = [str(ctl), "--store", f"sqlite:///{folder}/gateway.db", "apply", "-f", str(objects)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"gproxyctl apply failed:\n{done.stdout}{done.stderr}")
    return [wanted.program, "-c", str(settings)]


COMMANDS: dict[str, Callable[[Wanted], list[str]]] = {
    "nginx": nginx_command,
    "haproxy": haproxy_command,
    "gproxy": gproxy_command,
}


def custom_command(wanted: Wanted) -> list[str]:
    """Return the command line given by --gproxy-command with its places filled."""
    places = {"port": wanted.port, "server1": wanted.servers[0], "server2": wanted.servers[1]}
    return [part.format(**places) for part in shlex.split(wanted.program)]


def default_gproxy() -> str:
    """Return the gproxy of the environment that this program runs in."""
    return str(Path(sys.prefix) / "bin" / "gproxy")
