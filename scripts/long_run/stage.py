"""The gateway of the long run, its servers and its clients."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from scripts.benchmark import certificate
from scripts.long_run import configuration
from scripts.processes import descendants, free_ports, started

_READY_S = 60.0
_SERVERS = 3


class SoakError(Exception):
    """The long run cannot go on; the text says why."""


@dataclass
class Stage:
    """Everything that runs. `servers` are processes by number, at `ports`; `chat_ports` are theirs, too."""

    folder: Path
    port: int
    tls_port: int
    ports: list[int]
    chat_ports: list[int]
    gateway: subprocess.Popen[bytes] = field(init=False)
    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _ends: dict[int, contextlib.ExitStack] = field(default_factory=dict)

    def start_server(self, number: int) -> None:
        """Start a server where it was."""
        command = [
            sys.executable,
            "-m",
            "scripts.long_run.backend",
            str(self.ports[number]),
            str(self.chat_ports[number]),
        ]
        self._ends[number] = end = contextlib.ExitStack()
        self.servers[number] = end.enter_context(started(command, self.folder / "servers.log"))

    def stop_server(self, number: int) -> None:
        """Kill a server."""
        self.servers[number].kill()
        self._ends[number].close()

    def apply(self, percent: int = 20) -> None:
        """Make the store equal to the configuration of this run. Raises SoakError."""
        path = self.folder / "objects.json"
        path.write_text(json.dumps(configuration.objects(self.ports, self.chat_ports[0], percent)))
        store = f"sqlite:///{self.folder}/gateway.db"
        command = [sys.executable, "-m", "gproxy.ctl", "--store", store, "apply", "-f", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SoakError(done.stdout + done.stderr)

    def write_certificate(self) -> None:
        """Make another certificate and put it in place of the one there was."""
        made = self.folder / "made"
        certificate.write(made / "new")
        (self.folder / "certificates").mkdir(exist_ok=True)
        for name in ("bench.crt", "bench.key"):
            (made / "new" / name).replace(self.folder / "certificates" / name)
        shutil.rmtree(made)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the gateway, the master first."""
        return [psutil.Process(self.gateway.pid), *descendants(self.gateway.pid)]

    def kill(self, name: str, youngest: bool = False) -> None:
        """Kill a process by its name."""
        found = [one for one in self.processes() if one.name().startswith(name[:15])]
        if found:
            found.sort(key=lambda one: one.create_time())
            found[-1 if youngest else 0].kill()

    def log(self) -> str:
        """Return what the gateway has logged."""
        return (self.folder / "gproxy.log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Stop the servers."""
        for number in self.servers:
            self.stop_server(number)


@contextlib.contextmanager
def standing(folder: Path) -> Iterator[Stage]:
    """Run the gateway and its servers in `folder`; it answers when this yields."""
    port, tls_port, control_port, *ports = free_ports(3 + 2 * _SERVERS)
    (folder / "gproxy.ini").write_text(configuration.ini(folder, port, tls_port, control_port))
    stage = Stage(folder, port, tls_port, ports[:_SERVERS], ports[_SERVERS:])
    stage.write_certificate()
    stage.apply()
    with contextlib.ExitStack() as stack:
        for number in range(_SERVERS):
            stage.start_server(number)
        stack.callback(stage.close)
        command = [sys.executable, "-m", "gproxy", "-c", str(folder / "gproxy.ini")]
        stage.gateway = stack.enter_context(started(command, folder / "output.log"))
        _wait_until_serving(stage)
        yield stage


def _wait_until_serving(stage: Stage) -> None:
    end_s = time.monotonic() + _READY_S
    while time.monotonic() < end_s and stage.gateway.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{stage.port}/small").status_code == 200:
                return
        time.sleep(0.1)
    raise SoakError(f"the gateway does not serve:\n{(stage.folder / 'output.log').read_text()[-2000:]}")
