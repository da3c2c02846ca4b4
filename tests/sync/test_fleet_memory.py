from pathlib import Path

import pytest

from gproxy.sync.fleet_memory import FILE_NAME, WRITE_S, FleetMemory
from tests.store.test_nodes import a_node


def test_what_was_kept_is_recalled(tmp_path: Path) -> None:
    assert FleetMemory(tmp_path).recall() == []
    FleetMemory(tmp_path).keep([a_node("a"), a_node("b")], 0)
    assert FleetMemory(tmp_path).recall() == [a_node("a"), a_node("b")]


def test_it_is_written_now_and_then_only(tmp_path: Path) -> None:
    memory = FleetMemory(tmp_path)
    memory.keep([a_node("a")], 0)
    memory.keep([], WRITE_S - 1)
    assert len(memory.recall()) == 1
    memory.keep([], WRITE_S)
    assert memory.recall() == []


@pytest.mark.parametrize("content", ["", "{}", "[3]", "[{}]", "3", "[" * 100_000], ids=range(6))
def test_a_damaged_file_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    assert FleetMemory(tmp_path).recall() == []


def test_a_disk_that_refuses_is_no_trouble(tmp_path: Path) -> None:
    FleetMemory(tmp_path / "missing").keep([a_node()], 0)
