"""The sync process as a real process, beside real writers."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.role import NO_SLOT, Context
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from gproxy.store.base import Write
from gproxy.store.open import open_store

DEADLINE_S = 20.0


class Node:
    """A run directory with a table and, once started, a sync process."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "gateway.db"
        self.url = f"sqlite:///{self.db}"
        self.snapshot = folder / snapshot_file.FILE_NAME
        self.log = folder / "log"
        self.folder = folder
        self.table = Table.create(slots=1, rows=64)
        self.process: multiprocessing.process.BaseProcess | None = None

    def start(self, master_pid: int | None = None) -> None:
        self.process = multiprocessing.get_context("spawn").Process(
            target=be_sync, args=(self.folder, self.url, master_pid or os.getpid(), self.table.fd)
        )
        self.process.start()

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        return self.ended()

    def ended(self) -> int | None:
        assert self.process is not None
        self.process.join(DEADLINE_S)
        return self.process.exitcode

    def write(self, *names: str, create: bool = True) -> int:
        with open_store(self.url, create) as store:
            return store.write(
                [Write("server", name, {"name": name, "address": "127.0.0.1:1"}) for name in names], "ann"
            )

    def until(self, cell: int, value: int) -> None:
        wait(lambda: self.table.cells[cell] == value, lambda: f"cell {cell} is {self.table.cells[cell]}")

    def until_log(self, text: str) -> None:
        wait(lambda: text in self.logged(), self.logged)

    def logged(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def wait(condition: Callable[[], bool], explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.005)


def be_sync(folder: Path, url: str, master_pid: int, fd: int) -> None:
    from gproxy import logs
    from gproxy.sync.process import run

    texts = {"gproxy": {"run_dir": str(folder)}, "store": {"url": url}, "log": {"file": str(folder / "log")}}
    loaded = settings.load(None, texts)
    logs.setup(loaded, "sync")
    table = Table.attach(os.open(f"/proc/{os.getppid()}/fd/{fd}", os.O_RDWR))
    raise SystemExit(run(Context(loaded, table, NO_SLOT, (), master_pid)))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    if node.process is not None and node.process.is_alive():
        node.process.kill()
        node.ended()
    node.table.close()


def test_it_follows_the_store_and_stops_when_told(node: Node) -> None:
    node.write("u1")
    node.start()
    node.until(layout.REVISION, 1)
    node.until(layout.SYNC_STATE, layout.SYNC_FOLLOWING)
    node.write("u2")
    node.until(layout.REVISION, 2)
    assert len(snapshot_file.read(node.snapshot).lines) == 2
    assert node.table.cells[layout.PUBLISHED] == 2
    assert node.table.cells[layout.STORE_SEEN_MS] > 0
    assert node.table.cells[layout.SYNC_HEARTBEAT] > 0
    assert node.stop() == 0


def test_a_fresh_node_makes_its_store(node: Node) -> None:
    node.start()
    node.until(layout.PUBLISHED, 1)
    assert snapshot_file.read(node.snapshot).lines == []
    node.write("u1", create=False)
    node.until(layout.REVISION, 1)
    assert node.stop(signal.SIGQUIT) == 0


def test_a_lost_store_is_outlived(node: Node) -> None:
    node.write("u1")
    node.start()
    node.until(layout.REVISION, 1)
    node.db.rename(node.folder / "away.db")
    node.until(layout.SYNC_STATE, layout.SYNC_STORE_LOST)
    node.until_log("cannot follow the store")
    (node.folder / "away.db").rename(node.db)
    node.until(layout.SYNC_STATE, layout.SYNC_FOLLOWING)
    node.write("u2")
    node.until(layout.REVISION, 2)
    assert node.logged().count("cannot follow the store:") == 2, "its beginning and its end"
    assert node.stop() == 0


def test_a_start_without_the_store_serves_the_last_good_snapshot(node: Node) -> None:
    snapshot_file.write(node.snapshot, 7, node.url, [b'["server",{}]'])
    node.start()
    node.until(layout.SYNC_STATE, layout.SYNC_STORE_LOST)
    assert (node.table.cells[layout.PUBLISHED], node.table.cells[layout.REVISION]) == (1, 7)
    assert not node.db.exists()
    assert node.stop() == 0


def test_nothing_to_serve(node: Node) -> None:
    node.db.write_bytes(b"not a database at all, but long enough to look at" * 20)
    node.start()
    node.until(layout.SYNC_STATE, layout.SYNC_NOTHING)
    assert node.table.cells[layout.PUBLISHED] == 0
    assert "damaged or not a store" in node.logged()
    assert node.stop() == 0


def test_a_store_that_was_made_anew_keeps_the_routes_until_it_is_written_to(node: Node) -> None:
    node.write("u1")
    node.write("u2")
    node.start()
    node.until(layout.REVISION, 2)
    for file in node.folder.glob("gateway.db*"):
        file.unlink()
    open_store(node.url, create=True).close()
    node.until_log("stays until something is written")
    assert node.table.cells[layout.PUBLISHED] == 1
    node.write("u9")
    node.until(layout.PUBLISHED, 2)
    assert node.table.cells[layout.REVISION] == 1
    assert node.stop() == 0


def test_the_log_is_reopened(node: Node) -> None:
    node.start()
    node.until(layout.PUBLISHED, 1)
    node.log.rename(node.folder / "log.1")
    assert node.process is not None
    assert node.process.pid is not None
    os.kill(node.process.pid, signal.SIGUSR1)
    wait(node.log.exists, lambda: "the log was not made anew")
    assert node.stop() == 0


def test_it_leaves_when_its_master_is_gone(node: Node) -> None:
    node.start(master_pid=1_000_000_000)
    assert node.ended() == 0
