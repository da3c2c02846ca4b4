from pathlib import Path

import pytest

from gadmin.configuration.stores import Stores
from gadmin.fleet.draining import Draining
from gproxy.store.access import NOBODY
from gproxy.store.base import StoreError
from tests.store.test_nodes import a_node


def test_wishes_are_in_the_store(tmp_path: Path) -> None:
    stores = Stores(f"sqlite:///{tmp_path}/gateway.db", NOBODY)
    draining = Draining(stores)
    with stores.use() as store:
        store.registry.announce(a_node("n1"))
    assert (draining.registered(), draining.wishes()) == ({"n1"}, {})
    draining.wish("n1", "somebody")
    assert draining.wishes()["n1"].author == "somebody"
    draining.withdraw("n1", "somebody else")
    assert draining.wishes() == {}
    stores.close()


def test_pages_are_shown_while_the_store_is_away(tmp_path: Path) -> None:
    draining = Draining(Stores(f"sqlite:///{tmp_path}/none/gateway.db", NOBODY))
    assert (draining.registered(), draining.wishes()) == (frozenset(), {})
    with pytest.raises(StoreError):
        draining.wish("n1", "somebody")
