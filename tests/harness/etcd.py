"""A real etcd server or cluster on free ports, which can be stopped, frozen, wiped and restored."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from tests.harness.waiting import eventually

_START_S: Final = 30.0

_UNPACKED: Final = Path(sys.executable).parents[1] / "etcd-3.4" / "usr" / "bin" / "etcd"
#: Servers by name; Debian's is an older one, used where it is installed or was unpacked by scripts/old-etcd.
SERVERS: Final = {
    "3.5": Path(sys.executable).parent / "etcd",
    "3.4": _UNPACKED if _UNPACKED.exists() else Path("/usr/bin/etcd"),
}
#: The one that is meant where a test does not say: the outages, say, can be had with another one, too.
DEFAULT: Final = os.environ.get("GPROXY_ETCD", "3.5")
_CTL: Final = Path(sys.executable).parent / "etcdctl"


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Etcd:
    """One member in `folder`; use it as a context manager. `peers` are all members of its cluster: name -> peer port.

    `options` are further arguments of the server.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "m0",
        peers: dict[str, int] | None = None,
        options: Sequence[str] = (),
        version: str = DEFAULT,
    ) -> None:
        self.port = free_port()
        self.data = folder / name
        self.log_file = folder / f"{name}.log"
        self.options = list(options)
        self._name = name
        self._peers = peers or {name: free_port()}
        self._server = SERVERS[version]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def endpoint(self) -> str:
        """Where clients reach it."""
        return f"127.0.0.1:{self.port}"

    def url(self, prefix: str = "/gw") -> str:
        """Return the URL of a store in it."""
        return f"etcd://{self.endpoint}{prefix}"

    def start(self, wait: bool = True) -> None:
        """Start the server on what is in its folder."""
        own = f"http://127.0.0.1:{self._peers[self._name]}"
        cluster = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in self._peers.items())
        scheme = "https" if "--cert-file" in self.options else "http"
        command = [str(self._server), "--name", self._name, "--data-dir", str(self.data)]
        command += ["--listen-client-urls", f"{scheme}://{self.endpoint}"]
        command += ["--advertise-client-urls", f"{scheme}://{self.endpoint}"]
        command += ["--listen-peer-urls", own, "--initial-advertise-peer-urls", own, "--initial-cluster", cluster]
        # Nothing of these tests is about power cuts, and the disk is shared with other tests.
        unsafe = [] if self._server == SERVERS["3.4"] else ["--unsafe-no-fsync"]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen([*command, *unsafe, *self.options], stdout=log, stderr=log)
        if wait:
            eventually(self.answers, _START_S, "etcd answers")

    def answers(self) -> bool:
        """Tell whether it serves (with TLS: whether the port is open)."""
        assert self._process is not None
        assert self._process.poll() is None, self.log_file.read_text()
        with contextlib.suppress(OSError, http.client.HTTPException):
            if "--cert-file" not in self.options:
                return self._page("/health")[0] == http.HTTPStatus.OK
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        return False

    def kill(self) -> None:
        """End the server at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the server still: connections stay open, nothing is answered."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        process.suspend()
        eventually(lambda: process.status() == psutil.STATUS_STOPPED, about="etcd stands still")  # it has threads
        try:
            yield
        finally:
            process.resume()

    def wipe(self) -> None:
        """Delete all data of a server that does not run."""
        assert self._process is None
        shutil.rmtree(self.data)

    def save(self, file: Path) -> None:
        """Write a snapshot."""
        self.ctl("snapshot", "save", str(file))

    def restore(self, file: Path) -> None:
        """Put a snapshot in the place of all data of a server that does not run."""
        assert self._process is None
        shutil.rmtree(self.data, ignore_errors=True)
        own = f"http://127.0.0.1:{self._peers[self._name]}"
        self.ctl(
            *("snapshot", "restore", str(file), "--data-dir", str(self.data), "--name", self._name),
            *("--initial-cluster", f"{self._name}={own}", "--initial-advertise-peer-urls", own),
        )

    def ctl(self, *words: str, stdin: str = "") -> str:
        """Run etcdctl and return what it prints."""
        command = [str(_CTL), "--endpoints", self.endpoint, *words]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=_START_S, check=False, env=environment
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def metric(self, name: str) -> float:
        """Return one of the figures at /metrics."""
        lines = self._page("/metrics")[1].splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def _page(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


@contextlib.contextmanager
def cluster(folder: Path, size: int = 3) -> Iterator[list[Etcd]]:
    """Run a cluster of several members."""
    peers = {f"m{number}": free_port() for number in range(size)}
    members = [Etcd(folder, name, peers) for name in peers]
    with contextlib.ExitStack() as stack:
        for member in members:
            stack.callback(member.kill)
            member.start(wait=False)
        for member in members:
            eventually(member.answers, _START_S, "etcd answers")
        yield members
