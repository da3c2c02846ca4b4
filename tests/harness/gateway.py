"""One running gproxy with its own folder: INI, embedded store, run_dir, logs, and free ports."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.harness import orphans
from tests.harness.client import Address, RawClient
from tests.harness.waiting import eventually

Documents = Mapping[str, Sequence[Mapping[str, Any]]]

#: generous, because other tests run on the same cores
_START_S = 30.0
_STOP_S = 15.0
_PROJECT = Path(__file__).parents[2]
_READY = re.compile(r"^\S+ INFO master\[\d+\] ready\b(.*)$", re.MULTILINE)
_REPLACED = re.compile(r"^\S+ INFO master\[(\d+)\] ready\b.* replaced=", re.MULTILINE)
_REVISION = re.compile(r"the store is at revision (\d+)")
_ADDRESS = re.compile(r"(?:\b|\[)([0-9.]+|[0-9a-f:]*:[0-9a-f:]*)\]?:(\d+)|unix:(/[^\s,\"]+)")


class Gateway:
    """A gateway started with `documents` in its store (None: an empty one). Use it as a context manager.

    `settings` are INI sections over the defaults of the tests: one worker, free ports, the access log on. `store` is
    the URL of a store that others use, too; by default it has one of its own.
    """

    def __init__(
        self,
        folder: Path,
        documents: Documents | None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        store: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ini = folder / "gproxy.ini"
        self.log_file = folder / "gateway.log"
        self.access_file = folder / "access.log"
        self.store = store or f"sqlite:///{folder}/gateway.db"
        self._sections: dict[str, dict[str, object]] = {
            "gproxy": {"bind": "127.0.0.1:0", "workers": 1, "run_dir": folder / "run", "graceful_timeout_s": 10},
            "store": {"url": self.store},
            "log": {"access": self.access_file, "access_format": "json"},
            "control": {"bind": "127.0.0.1:0"},
        }
        self._successor = 0
        self.addresses: list[Address] = []
        self.control: tuple[str, int] = ("", 0)
        self.configure(settings or {})
        if documents is not None:
            self.apply(documents, wait=False)
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> Address:
        """The first public address."""
        return self.addresses[0]

    @property
    def pid(self) -> int:
        """The process id of the master in charge."""
        return self._successor or self.process.pid

    def upgrade(self) -> int:
        """Replace the program (`tests.harness.orphans.adopted` is needed); return the pid of the old master."""
        old, done = self.pid, len(_REPLACED.findall(self.log()))
        self.signal(signal.SIGUSR2)
        eventually(lambda: len(_REPLACED.findall(self.log())) > done, _START_S, "the new program is in charge")
        self.follow()
        return old

    def follow(self) -> None:
        """Take the master that took over last for the one in charge."""
        self._successor = int(_REPLACED.findall(self.log())[-1])

    def client(self, within_s: float = 10.0, receive_buffer: int = 0) -> RawClient:
        """Open a client connection to the first public address."""
        return RawClient(self.address, within_s, receive_buffer)

    def configure(self, settings: Mapping[str, Mapping[str, object]]) -> None:
        """Write the INI with these values over the ones before."""
        for section, values in settings.items():
            self._sections.setdefault(section, {}).update(values)
        lines = []
        for section, values in self._sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in values.items()]
        self.ini.write_text("\n".join(lines) + "\n")

    def apply(self, documents: Documents, wait: bool = True) -> None:
        """Make the store equal to `documents`; with `wait`, return when every worker runs the new revision."""
        file = self.folder / "apply.json"
        file.write_text(json.dumps(documents))
        said = self.ctl("apply", "-f", str(file))
        if wait:
            found = _REVISION.search(said)
            assert found is not None, said
            revision = int(found[1])
            eventually(
                lambda: all(worker["revision"] >= revision for worker in self.workers()),
                about=f"every worker runs revision {revision}",
            )

    def ctl(self, *arguments: str) -> str:
        """Run gproxyctl on the store and return what it prints; raises AssertionError when it fails."""
        command = [sys.executable, "-m", "gproxy.ctl", "--store", self.store, *arguments]
        done = subprocess.run(command, cwd=_PROJECT, capture_output=True, text=True, timeout=_START_S, check=False)
        assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def stats(self) -> Any:
        """Return what the control endpoint says at /stats, waiting for it while a reload replaces its process."""

        def ask() -> Any:
            with contextlib.suppress(ConnectionError, http.client.HTTPException, ValueError):
                return self.control_get("/stats")

        return eventually(ask, about="the control endpoint answers")

    def control_get(self, path: str) -> Any:
        """GET a path of the control endpoint and return its JSON."""
        return json.loads(self.control_text(path))

    def control_text(self, path: str, method: str = "GET") -> str:
        """Ask for a path of the control endpoint and return what it says."""
        connection = http.client.HTTPConnection(*self.control, timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode("utf-8")
        finally:
            connection.close()

    def workers(self) -> list[dict[str, Any]]:
        """Return the row of every live worker in /stats."""
        return list(self.stats()["workers"])

    def worker_pids(self) -> set[int]:
        """Return the process ids of the workers that accept connections."""
        return {worker["pid"] for worker in self.workers() if worker["state"] == "accepting"}

    def rss(self) -> int:
        """Return the resident memory of all workers together, in bytes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.worker_pids())

    def log(self) -> str:
        """Return the program log so far."""
        return self.log_file.read_text()

    def access_lines(self) -> list[str]:
        """Return the lines of the access log so far."""
        return self.access_file.read_text().splitlines() if self.access_file.exists() else []

    def access_lines_so_far(self) -> list[str]:
        """Return the access log of all requests that are over, also those that still wait to be written.

        Lines of one worker keep their order, so one more request shows where the earlier ones end.
        """
        mark = f"/mark-{uuid.uuid4().hex}"
        with self.client() as client:
            client.get(mark)
        lines = eventually(lambda: [line for line in self.access_lines() if mark in line] and self.access_lines())
        return [line for line in lines if "/mark-" not in line]

    def access_entry(self, target: str) -> dict[str, Any]:
        """Return the access log entry of the request for `target` (JSON format), waiting for it."""

        def find() -> list[dict[str, Any]]:
            entries = (json.loads(line) for line in self.access_lines())
            return [entry for entry in entries if entry["target"] == target]

        entries = eventually(find, about=f"an access log entry for {target}")
        assert len(entries) == 1, entries
        return entries[0]

    def signal(self, number: int) -> None:
        """Send a signal to the master."""
        os.kill(self.pid, number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the workers still: what happens inside, they notice all at once afterwards."""
        pids = self.worker_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """Stop at once (unless it has ended) and check that nothing went wrong unseen."""
        if self._successor or self.process.poll() is None:
            self.signal(signal.SIGINT)
        code = self.wait_end()
        log = self.log()
        assert code == 0, f"exit code {code}:\n{log}"
        assert "Traceback" not in log, log

    def wait_end(self, within_s: float = _STOP_S) -> int:
        """Wait until the master has ended and return its exit code; kills it when it does not end."""
        try:
            code = self.process.wait(within_s)
            return orphans.wait_for(self._successor, within_s) if self._successor else code
        except (subprocess.TimeoutExpired, TimeoutError):
            for child in psutil.Process(self.pid).children(recursive=True):
                child.kill()
            os.kill(self.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not end within {within_s} s:\n{self.log()}") from None

    def _start(self) -> None:
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gproxy", "-c", str(self.ini)],
                cwd=_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(self._is_ready_or_dead, _START_S, "the gateway is ready")
            self._note_addresses()
        except BaseException:
            self.process.kill()
            self.process.wait()
            print(self.log())
            raise

    def _is_ready_or_dead(self) -> bool:
        assert self.process.poll() is None, f"the gateway ended at once:\n{self.log()}"
        return _READY.search(self.log()) is not None

    def _note_addresses(self) -> None:
        ready = _READY.search(self.log())
        assert ready is not None
        found: list[Address] = []
        for host, port, path in _ADDRESS.findall(ready[1]):
            found.append(path or (host, int(port)))
        *self.addresses, control = found
        assert not isinstance(control, str)
        self.control = control
