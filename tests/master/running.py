"""One running `gproxy` with its own folder, seen as an operator sees it: command, signals, log, sockets."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.harness.waiting import eventually

ROOT = Path(__file__).parent.parent.parent


class Running:
    """A gproxy process; `module` is what `python -m` runs. Leaving the block kills it and its children.

    `pid` is the master in charge: that of `process`, until an upgrade. `command` is how it is started.
    """

    def __init__(self, folder: Path, module: str = "gproxy", **keys: str) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.ini = folder / "gproxy.ini"
        self.log_path = folder / "stderr"
        self.command = [sys.executable, "-m", module]
        self.environment: dict[str, str] = {}
        self.pid = 0
        self.keys = {"workers": "2", "bind": "127.0.0.1:0", "graceful_timeout_s": "5", **keys}
        self.write_ini()

    def write_ini(self, **changed: str) -> None:
        """Write the settings file: keys of [gproxy]; others as section__key."""
        self.keys.update(changed)
        sections: dict[str, list[str]] = {
            "gproxy": [f"run_dir = {self.run_dir}"],
            "store": [f"url = sqlite:///{self.folder}/store.db"],
            "control": [] if "control__bind" in self.keys else ["bind = 127.0.0.1:0"],
        }
        for name, value in self.keys.items():
            section, _, key = name.rpartition("__")
            sections.setdefault(section or "gproxy", []).append(f"{key} = {value}")
        lines = [line for section, keys in sections.items() for line in (f"[{section}]", *keys)]
        self.ini.write_text("\n".join(lines) + "\n")

    def start(self) -> Self:
        """Start without waiting."""
        with self.log_path.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*self.command, "-c", str(self.ini)], cwd=ROOT, stderr=stderr, env=os.environ | self.environment
            )
        self.pid = self.process.pid
        return self

    def __enter__(self) -> Self:
        self.start()
        self.wait_for("ready ")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        masters = {self.process.pid, *map(int, re.findall(r" (?:master\[|new=)(\d+)", self.log()))}
        for master in masters:
            with contextlib.suppress(psutil.NoSuchProcess):
                is_ours = str(self.ini) in psutil.Process(master).cmdline()
                for pid in [master, *self.children(master)] if is_ours else []:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        self.process.wait()
        eventually(lambda: not any(map(is_alive, masters)) and not self._left())

    def _left(self) -> list[int]:
        """Return the processes that still have to notice that their master is gone."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if str(self.ini) in process.cmdline():  # a zombie has none
                    found.append(process.pid)
        return found

    def is_running(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return self.log_path.read_text()

    def wait_for(self, text: str, times: int = 1, within_s: float = 15.0) -> str:
        """Return the last log line with the text once there are so many of them."""

        def found() -> str | None:
            lines = [line for line in self.log().splitlines() if text in line]
            if len(lines) < times and not is_alive(self.pid):
                raise AssertionError(f"gproxy ended before it logged {text!r}:\n{self.log()}")
            return lines[-1] if len(lines) >= times else None

        try:
            return eventually(found, within_s) or ""
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the master in charge."""
        os.kill(self.pid, number)

    def upgrade(self) -> int:
        """Replace the program; return the pid of the old one, which may still be finishing its requests."""
        before, done = self.pid, self.log().count(" replaced=")
        self.send(signal.SIGUSR2)
        line = self.wait_for(" replaced=", times=done + 1)
        self.pid = int(line.partition(" pid=")[2].split()[0])
        return before

    def wait(self, within_s: float = 15.0) -> int:
        return self.process.wait(within_s)

    def children(self, master: int = 0) -> list[int]:
        """Return the children of the master in charge (or another one), other masters left out."""
        found = []
        for child in psutil.Process(master or self.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and child.name() != "gproxy-master":
                    found.append(child.pid)
        return found

    def addresses(self, word: str = "addresses") -> list[str]:
        """Return the addresses (or, with `control`, that address) of the last ready or reloaded line."""
        found: list[str] = re.findall(rf" {word}=(\S+)", self.log())
        return found[-1].split(",")

    def connect(self, index: int = 0) -> socket.socket:
        return connect(self.addresses()[index])

    def ask(self, line: str = "pid", index: int = 0) -> list[str]:
        """Send a line over a new connection and return the words of the answer, none when it was cut."""
        with self.connect(index) as client:
            client.sendall(line.encode() + b"\n")
            return client.recv(100).decode().split()


def connect(address: str) -> socket.socket:
    """Connect to an address in the form of a bind."""
    if address.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(address.removeprefix("unix:"))
        return client
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), 10)


def wait_for_end(pid: int) -> None:
    eventually(lambda: not is_alive(pid), about=f"process {pid} ends")


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
