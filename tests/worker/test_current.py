import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.snapshot import Api
from gproxy.shared import layout
from gproxy.store import snapshot_file
from gproxy.worker import turns
from gproxy.worker.current import Current
from gproxy.worker.link import hub
from tests.core.snapshot_lines import lines
from tests.worker.peer import eventually
from tests.worker.stage import Stage

SERVER = {"name": "s", "address": "127.0.0.1:1"}
CLUSTER = {"name": "c", "servers": ["s"]}


def api(name: str, path: str = "/*") -> dict[str, Any]:
    return {"name": name, "path": path, "nodes": [{"cluster": "c"}]}


class Node:
    """Publishes snapshots, as `sync` would, to a worker that follows them."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self.stage = stage
        self.path = path
        self.current = Current(stage.runtime, path)

    def publish(self, revision: int, content: list[bytes]) -> None:
        snapshot_file.write(self.path, revision, "test", content)
        self.announce()

    def announce(self) -> None:
        """Raise the version and let the worker see it."""
        self.stage.table.cells[layout.PUBLISHED] += 1
        self.current.check()

    def is_current(self) -> bool:
        return self.stage.cell(layout.VERSION) == self.stage.table.cells[layout.PUBLISHED]

    def api_at(self, path: bytes) -> Api:
        snapshot = self.stage.runtime.snapshot
        assert snapshot is not None
        found = snapshot.router.find(b"a", b"GET", path)
        assert found is not None
        assert isinstance(found.target, Api)
        return found.target


@pytest.fixture
def node(stage: Stage, tmp_path: Path) -> Iterator[Node]:
    yield Node(stage, tmp_path / "snapshot.jsonl")
    gc.unfreeze()


def test_nothing_was_published(node: Node) -> None:
    node.current.check()
    assert node.stage.runtime.snapshot is None


def test_what_is_published_is_used(node: Node) -> None:
    node.publish(7, lines([SERVER], [CLUSTER], [api("one")]))
    eventually(node.is_current)
    assert node.stage.cell(layout.RUNNING_REVISION) == 7
    assert node.api_at(b"/").name == "one"
    node.publish(8, lines([SERVER], [CLUSTER], [api("two")]))
    eventually(node.is_current)
    assert node.stage.cell(layout.RUNNING_REVISION) == 8
    assert node.api_at(b"/").name == "two"
    assert gc.isenabled()


def test_the_same_version_is_loaded_once(node: Node) -> None:
    node.publish(1, lines())
    eventually(node.is_current)
    snapshot = node.stage.runtime.snapshot
    node.current.check()
    eventually(node.is_current)
    assert node.stage.runtime.snapshot is snapshot


def test_what_has_not_changed_is_taken_over(node: Node) -> None:
    node.publish(1, lines([SERVER], [CLUSTER], [api("all"), api("x", "/x")]))
    eventually(node.is_current)
    kept, changed = node.api_at(b"/"), node.api_at(b"/x")
    node.publish(2, lines([SERVER], [CLUSTER], [api("all"), api("x", "/x") | {"preserve_host": False}]))
    eventually(node.is_current)
    assert node.api_at(b"/") is kept
    assert node.api_at(b"/x") is not changed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b'{"format":99}\n',
        b'{"format":1,"revision":2,"source":"","written_at":"","objects":0,"sha256":"0"}\n',
    ],
)
def test_a_file_that_cannot_be_used_keeps_the_last_one(
    node: Node, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    node.publish(1, lines([SERVER], [CLUSTER], [api("good")]))
    eventually(node.is_current)
    node.path.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        node.announce()
        eventually(lambda: caplog.records)
    assert caplog.records[0].message == "cannot use the published snapshot, keeping the last one"
    assert node.api_at(b"/").name == "good"
    assert (node.stage.cell(layout.VERSION), node.stage.cell(layout.RUNNING_REVISION)) == (1, 1)
    node.current.check()  # it is not tried again and again
    node.publish(3, lines([SERVER], [CLUSTER], [api("better")]))
    eventually(node.is_current)
    assert node.api_at(b"/").name == "better"
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "line",
    [
        b'["api",{"name":"x"}]',
        b'["cluster",{"name":"x","servers":["nobody"],"timeouts":{}}]',
        b'["server",[]]',
        b"5",
        b"null",
        b"\xff",
    ],
)
def test_documents_that_make_no_sense_keep_the_last_one(
    node: Node, caplog: pytest.LogCaptureFixture, line: bytes
) -> None:
    node.publish(1, lines([SERVER], [CLUSTER], [api("good")]))
    eventually(node.is_current)
    with caplog.at_level(logging.ERROR):
        node.publish(2, [*lines([SERVER], [CLUSTER]), line])
        eventually(lambda: caplog.records)
    assert node.api_at(b"/").name == "good"
    assert gc.isenabled()


def test_a_missing_file(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        node.announce()
        eventually(lambda: caplog.records)
    assert node.stage.runtime.snapshot is None
    assert node.stage.cell(layout.VERSION) == 0


def test_a_large_configuration_is_loaded_in_slices(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 0.0)
    counted = [0]

    def count() -> None:
        counted[0] += 1

    timer = hub.loop.timer(0, 0.0001)
    timer.start(count)
    node.publish(1, lines([SERVER], [CLUSTER], [api(f"a{number}", f"/{number}/*") for number in range(500)]))
    eventually(node.is_current)
    timer.stop()
    timer.close()
    assert counted[0] > 100
    assert node.api_at(b"/321/x").name == "a321"


def test_what_is_published_while_loading_is_loaded_next(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 0.0)
    many = lines([SERVER], [CLUSTER], [api(f"a{number}", f"/{number}/*") for number in range(100)])
    node.publish(1, many)
    node.publish(2, lines([SERVER], [CLUSTER], [api("last")]))
    eventually(lambda: node.stage.cell(layout.VERSION))
    node.current.check()
    eventually(node.is_current)
    assert node.stage.cell(layout.RUNNING_REVISION) == 2
    assert node.api_at(b"/").name == "last"
