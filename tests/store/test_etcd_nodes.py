import pytest

from gproxy.store.base import Store
from gproxy.store.nodes import RunningWorker
from gproxy.store.open import open_store
from tests.harness.waiting import eventually
from tests.store.test_nodes import a_node


def test_a_node_that_dies_is_gone_when_its_lease_ends(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.store.etcd_nodes.TTL_S", 1)
    with open_store(url) as other:
        other.registry.announce(a_node("n1"))
        other.registry.announce(a_node("n2", 6))
        other.registry.announce(a_node("n2", 7, (RunningWorker(0, 1, "accepting", 7),)))
    assert [(node.id, node.revision) for node in store.registry.nodes()] == [("n1", 5), ("n2", 7)]
    eventually(lambda: not store.registry.records(), about="the leases have ended")


def test_a_node_whose_lease_has_ended_gets_a_new_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.store.etcd_nodes.TTL_S", 1)
    store.registry.announce(a_node())
    eventually(lambda: not store.registry.records(), about="the lease has ended")
    store.registry.announce(a_node(revision=9))
    assert [node.revision for node in store.registry.nodes()] == [9]
    monkeypatch.setattr("gproxy.store.etcd_nodes.RENEW_S", 0)
    eventually(lambda: not store.registry.records(), about="that one, too")
    store.registry.announce(a_node(revision=10))
    store.registry.announce(a_node(revision=11))
    assert [node.revision for node in store.registry.nodes()] == [11]
