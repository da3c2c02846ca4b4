import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.nodes import Drain
from gproxy.store.nodes_folder import FolderRegistry
from gproxy.sync.drain import LOOK_S, DrainWatch


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create(slots=2, rows=8)
    yield table
    table.close()


def test_the_cell_follows_the_store(table: Table, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    registry, watch = FolderRegistry(tmp_path), DrainWatch(table, "n1")
    watch.look(registry, 0.0)
    registry.drain("n2", Drain("somebody", 1))
    watch.look(registry, 1.0)
    assert table.cells[layout.DRAINED] == 0, "that is another node"
    registry.drain("n1", Drain("somebody", 1))
    watch.look(registry, 1.0 + LOOK_S / 2)
    assert table.cells[layout.DRAINED] == 0, "it has just looked"
    watch.look(registry, 1.0 + LOOK_S)
    assert table.cells[layout.DRAINED] == 1
    DrainWatch(table, "n1").look(registry, 2.0)
    registry.drain("n1", None)
    watch.look(registry, 3.0)
    assert table.cells[layout.DRAINED] == 0
    assert [record.getMessage() for record in caplog.records] == ["the node drains", "the node takes traffic again"]
