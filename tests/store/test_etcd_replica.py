import json

import pytest

from gproxy.store.base import Store, StoreCorrupt
from gproxy.store.open import open_store
from tests.harness.etcd import Etcd
from tests.store.conftest import keys
from tests.store.contract import HEAVY, U1, U2, put, remove


def test_a_reader_from_the_beginning_gets_the_same(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However checkpoints and entries lie."""
    monkeypatch.setattr("gproxy.store.etcd_commit.HISTORY_ENTRIES", 6)
    for number in range(20):
        store.write([put({**U1, "weight": number}), put({"name": f"s{number}"}), remove(f"s{number - 4}")], "ann")
        with open_store(url) as fresh:
            assert fresh.read() == store.read()
            assert fresh.history() == store.history()


def test_a_restored_older_state_is_noticed_also_behind_the_same_number(
    url: str, etcd: Etcd, prefix: str, store: Store
) -> None:
    """What a restore does, seen from a client: the keys are those of another history."""
    store.write([put(U1)], "ann")
    before = {key: etcd.ctl("get", prefix + key, "--print-value-only")[:-1] for key in keys(etcd, prefix)}
    store.write([put(HEAVY)], "ann")
    assert store.read().revision == 2
    etcd.ctl("del", "--prefix", f"{prefix}/")
    for key, value in before.items():
        etcd.ctl("put", prefix + key, stdin=value)
    news = store.watch(2, 5)
    assert news is not None
    assert (news.revision, news.is_whole, [item.document for item in news.changed]) == (1, True, [U1])
    etcd.ctl("del", "--prefix", f"{prefix}/")
    for key, value in before.items():
        etcd.ctl("put", prefix + key, stdin=value)
    with open_store(url) as other:
        other.write([put(U2)], "bob")
        other.write([put({**U2, "weight": 3})], "bob")
        assert store.read().documents() == {"server": {"u1": U1, "u2": {**U2, "weight": 3}}}
    news = store.watch(3, 0)
    assert news is None


def test_an_emptied_store_is_at_revision_0(etcd: Etcd, prefix: str, store: Store) -> None:
    store.write([put(U1)], "ann")
    etcd.ctl("del", "--prefix", f"{prefix}/")
    news = store.watch(1, 5)
    assert news is not None
    assert (news.revision, news.is_whole, list(news.changed)) == (0, True, [])


def test_a_compacted_etcd_forgets_nothing_of_ours(etcd: Etcd, store: Store, url: str) -> None:
    for weight in range(3):
        store.write([put({**U1, "weight": weight})], "ann")
    assert store.watch(3, 0.3) is None
    with open_store(url) as other:
        other.write([put(U2)], "bob")
        revision = json.loads(etcd.ctl("get", "x", "-w", "json"))["header"]["revision"]
        etcd.ctl("compact", str(revision))
        news = store.watch(2, 5)
    assert news is not None
    assert (news.revision, news.is_whole) == (4, False)
    assert {item.name for item in news.changed} == {"u1", "u2"}
    assert store.state_at(1) == {"server": {"u1": {**U1, "weight": 0}}}


def test_damage_is_said(etcd: Etcd, prefix: str, store: Store) -> None:
    store.write([put(U1)], "ann")
    etcd.ctl("put", f"{prefix}/.store/head", "x")
    with pytest.raises(StoreCorrupt, match="the head of the store is damaged"):
        store.read()
