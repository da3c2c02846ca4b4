import os
import time
from pathlib import Path

import pytest

from gproxy.store.base import StoreUnavailable
from gproxy.store.nodes import LEFT_S, TTL_S
from gproxy.store.nodes_folder import FORGET_S, FolderRegistry
from tests.store.test_nodes import a_node


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gateway.nodes"


def age(file: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(file, (at, at))


def test_a_silent_node_is_not_listed(folder: Path) -> None:
    registry = FolderRegistry(folder)
    assert registry.nodes() == []
    registry.announce(a_node("n1"))
    registry.announce(a_node("n2"))
    age(folder / "n1.json", TTL_S + 1)
    assert [node.id for node in registry.nodes()] == ["n2"]
    registry.announce(a_node("n1"))
    assert [node.id for node in registry.nodes()] == ["n1", "n2"]


def test_a_node_that_left_says_so_for_a_while(folder: Path) -> None:
    registry = FolderRegistry(folder)
    registry.announce(a_node().left())
    age(folder / "n1.json", LEFT_S - 5)
    assert (registry.nodes(), [node.has_left for node in registry.records()]) == ([], [True])
    age(folder / "n1.json", LEFT_S + 1)
    assert registry.records() == []


def test_files_of_nodes_long_gone_are_deleted_and_damaged_ones_ignored(folder: Path) -> None:
    registry = FolderRegistry(folder)
    registry.announce(a_node("n1"))
    (folder / "n2.json").write_text("{")
    age(folder / "n1.json", FORGET_S + 1)
    registry.announce(a_node("n3"))
    assert [node.id for node in registry.records()] == ["n3"]
    (folder / "n2.json").write_text("[" * 100_000)
    assert [node.id for node in registry.records()] == ["n3"]
    assert sorted(file.name for file in folder.iterdir()) == ["n2.json", "n3.json"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        FolderRegistry(tmp_path / "file" / "nodes").announce(a_node())
