"""A worker in a process of its own, as the master would start it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from gevent.event import Event

from gproxy.role import EXIT_BOOT_FAILED
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from tests.core.snapshot_lines import lines
from tests.worker.peer import Backend, Peer, answers, eventually, response

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLUSTER = {"name": "c", "servers": ["s"]}
API = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}


class Worker:
    """One process; `table` is what it shares with the test. `sections` are INI sections."""

    def __init__(self, folder: Path, sections: Mapping[str, Mapping[str, object]], master_pid: int) -> None:
        self.folder = folder
        ini: dict[str, dict[str, object]] = {
            "gproxy": {"run_dir": folder},
            "log": {"file": folder / "log", "access": folder / "access"},
        }
        for name, values in sections.items():
            ini.setdefault(name, {}).update(values)
        text = [f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in ini[name].items()) for name in ini]
        (folder / "gproxy.ini").write_text("\n".join(text))
        self.table = Table.create(2, 8)
        self.table.claim(0)
        command = [sys.executable, "-m", "tests.worker.one_worker", str(folder), str(master_pid), str(self.table.fd)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], pass_fds=[self.table.fd]
        )
        assert self.process.stdout is not None
        self.address = ("127.0.0.1", int(self.process.stdout.readline()))

    def publish(self, backend: Backend) -> None:
        """Let it send everything to `backend`."""
        content = lines([{"name": "s", "address": backend.address}], [CLUSTER], [API])
        snapshot_file.write(self.folder / snapshot_file.FILE_NAME, 1, "test", content)
        self.table.cells[layout.PUBLISHED] += 1

    def cell(self, offset: int) -> int:
        """Return a cell of its slot."""
        return self.table.cells[self.table.base(0) + offset]

    def is_accepting(self) -> bool:
        return self.cell(layout.STATE) == layout.STATE_ACCEPTING

    def exit_code(self) -> int:
        """Wait for its end."""
        eventually(lambda: self.process.poll() is not None)
        assert self.process.returncode is not None
        return self.process.returncode

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start a worker: `started(master_pid, section={...})`."""
    with ExitStack() as stack:

        def start(master_pid: int = os.getpid(), **sections: Mapping[str, object]) -> Worker:
            worker = Worker(tmp_path, sections, master_pid)
            stack.callback(worker.end)
            return worker

        yield start


def test_term_finishes_what_is_in_flight(started: Callable[..., Worker]) -> None:
    go_on = Event()

    def script(peer: Peer) -> None:
        peer.head()
        go_on.wait()
        peer.send(response())

    worker = started()
    with Backend(script) as backend:
        assert not worker.is_accepting()  # without a configuration it would answer 503
        worker.publish(backend)
        eventually(worker.is_accepting)
        assert worker.cell(layout.VERSION) == worker.cell(layout.RUNNING_REVISION) == 1
        with Peer.connect(worker.address) as idle, Peer.connect(worker.address) as client:
            client.send(GET)
            eventually(lambda: worker.cell(layout.ACTIVE) == 1)
            worker.process.send_signal(signal.SIGTERM)
            eventually(lambda: worker.cell(layout.STATE) == layout.STATE_DRAINING)
            with pytest.raises(ConnectionRefusedError):
                Peer.connect(worker.address)
            go_on.set()
            head, body = client.message()
            assert body == b"ok"
            assert b"\r\nConnection: close\r\n" in head
            assert idle.rest() == b""
        assert worker.exit_code() == 0
    assert b'"status":200' in (worker.folder / "access").read_bytes()


def test_draining_ends_in_time(started: Callable[..., Worker]) -> None:
    worker = started(gproxy={"graceful_timeout_s": 0.2})
    with Backend(lambda peer: peer.rest()) as backend:
        worker.publish(backend)
        eventually(worker.is_accepting)
        with Peer.connect(worker.address) as client:
            client.send(GET)
            eventually(lambda: worker.cell(layout.ACTIVE) == 1)
            worker.process.send_signal(signal.SIGTERM)
            assert worker.exit_code() == 0


def test_usr1_reopens_the_logs_and_quit_stops_at_once(started: Callable[..., Worker]) -> None:
    worker = started(gproxy={"graceful_timeout_s": 60})
    log, access = worker.folder / "log", worker.folder / "access"
    with Backend(answers(response())) as backend:
        worker.publish(backend)
        eventually(worker.is_accepting)
        log.rename(worker.folder / "old-log")
        access.rename(worker.folder / "old-access")
        worker.process.send_signal(signal.SIGUSR1)
        eventually(log.exists)
        with Peer.connect(worker.address) as client:
            client.send(GET)
            assert client.message()[1] == b"ok"
            worker.process.send_signal(signal.SIGQUIT)
            assert worker.exit_code() == 0
    assert b'"status":200' in access.read_bytes()  # what was queued is written
    assert (worker.folder / "old-access").read_bytes() == b""


def test_with_nothing_to_wait_for_it_accepts_and_says_so(started: Callable[..., Worker]) -> None:
    worker = started()
    worker.table.cells[layout.SYNC_STATE] = layout.SYNC_NOTHING
    eventually(worker.is_accepting)
    heartbeat = worker.cell(layout.HEARTBEAT)
    with Peer.connect(worker.address) as client:
        client.send(GET)
        assert client.message()[0].startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    eventually(lambda: worker.cell(layout.HEARTBEAT) > heartbeat)


def test_a_worker_whose_master_is_gone_leaves(started: Callable[..., Worker]) -> None:
    assert started(master_pid=1).exit_code() == 0


def test_a_worker_that_cannot_start_says_why(started: Callable[..., Worker]) -> None:
    worker = started(log={"access": "/nowhere/access"})
    assert worker.exit_code() == EXIT_BOOT_FAILED
    assert "the worker cannot start" in (worker.folder / "log").read_text()
