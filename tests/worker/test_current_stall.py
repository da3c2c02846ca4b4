"""How long loading a large change holds the loop, in processor time: what others take of the machine does not count.

With GPROXY_LARGE_TESTS in the environment there are 10,000 APIs and ten changes, else fewer of both.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.shared import layout
from gproxy.store import snapshot_file
from gproxy.worker.current import Current
from gproxy.worker.link import READ, hub
from tests.core.snapshot_lines import line
from tests.worker.peer import eventually
from tests.worker.stage import Stage

APIS, CHANGES = (10_000, 10) if "GPROXY_LARGE_TESTS" in os.environ else (2_000, 3)
MOST_S = 0.02


class Watch:
    """Sees how much processor time passes between two turns of the loop."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._always = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._watcher = hub.loop.io(self._always, READ, True, 2)
        self._last_s = time.thread_time()
        self._watcher.start(self._look)

    def _look(self) -> None:
        now_s = time.thread_time()
        self.worst_s = max(self.worst_s, now_s - self._last_s)
        self._last_s = now_s

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._always)


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    yield made
    made.close()


def content(turn: int) -> list[bytes]:
    """Return the lines of a snapshot in which every API differs from that of any other turn."""
    template = {"name": "a-0000", "path": "/service-0000/*", "nodes": [{"cluster": "c"}], "priority": turn}
    pattern = line("api", template, 1111)
    found = [line("server", {"name": "s", "address": "127.0.0.1:1"}, 0)]
    found.append(line("cluster", {"name": "c", "servers": ["s"]}, 1))
    numbered = (pattern.replace(b"0000", b"%d" % number) for number in range(APIS))
    return found + [api.replace(b"1111", b"%d" % row) for row, api in enumerate(numbered, 2)]


@pytest.mark.timeout(600)
def test_no_change_holds_the_loop_for_long(stage: Stage, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.jsonl"
    current = Current(stage.runtime, path)
    held_s = []
    for _ in range(CHANGES + 1):
        version = stage.table.cells[layout.PUBLISHED] + 1
        snapshot_file.write(path, version, "test", content(version))
        gc.collect()
        watch._look()
        watch.worst_s = 0.0
        stage.table.cells[layout.PUBLISHED] = version
        current.check()
        eventually(lambda: stage.cell(layout.VERSION) and not current.is_loading)
        assert stage.cell(layout.VERSION) == version
        held_s.append(watch.worst_s)
    gc.unfreeze()
    assert max(held_s) <= MOST_S
