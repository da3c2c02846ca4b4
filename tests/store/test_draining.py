from pathlib import Path

import pytest

from gproxy.store.draining import NoSuchNode, wish, withdraw
from gproxy.store.nodes_folder import FolderRegistry
from tests.store.test_nodes import a_node


def test_a_node_that_is_there_drains_and_who_wished_it_first_is_told(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path)
    registry.announce(a_node("n1"))
    wish(registry, "n1", "first")
    wish(registry, "n1", "second")
    assert registry.drains()["n1"].author == "first"
    withdraw(registry, "n1")
    assert registry.drains() == {}


def test_others_are_refused_but_one_that_has_gone_can_be_brought_back(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path)
    with pytest.raises(NoSuchNode, match="no node n1 has registered"):
        wish(registry, "n1", "somebody")
    with pytest.raises(NoSuchNode, match="nobody drains a node n1"):
        withdraw(registry, "n1")
    registry.announce(a_node("n1"))
    wish(registry, "n1", "somebody")
    (tmp_path / "n1.json").unlink()
    withdraw(registry, "n1")
    assert registry.drains() == {}
