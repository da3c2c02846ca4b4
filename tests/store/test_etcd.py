"""The contract over real etcd servers, and what is particular to a store in etcd."""

import json

import pytest

from gproxy.store.base import Store, StoreUnavailable
from gproxy.store.open import open_store
from tests.harness.etcd import Etcd
from tests.store.conftest import keys
from tests.store.contract import U1, U2, StoreContract, put, remove


class TestEtcd(StoreContract):
    @pytest.fixture
    def url(self, etcd: Etcd, prefix: str) -> str:
        return etcd.url(prefix)

    def bound_history(self, monkeypatch: pytest.MonkeyPatch, entries: int, changes: int) -> None:
        monkeypatch.setattr("gproxy.store.etcd_commit.HISTORY_ENTRIES", entries)
        monkeypatch.setattr("gproxy.store.etcd_commit.HISTORY_CHANGES", changes)


def test_objects_are_plain_documents_for_etcdctl(etcd: Etcd, prefix: str, store: Store) -> None:
    store.write([put({**U1, "note": "für alle"}), put(U2)], "ann")
    store.write([remove("u2")], "ann", "old")
    shown = etcd.ctl("get", f"{prefix}/server/u1", "--print-value-only")
    assert shown == '{"name":"u1","address":"127.0.0.1:1","note":"für alle"}\n'
    assert keys(etcd, prefix) == [
        "/.store/head",
        "/.store/history/0000000001",
        "/.store/history/0000000002",
        "/server/u1",
    ]
    entry = json.loads(etcd.ctl("get", f"{prefix}/.store/history/0000000002", "--print-value-only"))
    assert (entry["author"], entry["comment"]) == ("ann", "old")
    assert entry["changes"] == [{"kind": "server", "name": "u2", "before": U2, "after": None}]


def test_nobody_there_is_said(tmp_path: object) -> None:
    with pytest.raises(StoreUnavailable, match=r"etcd://127\.0\.0\.1:1/gw: 127\.0\.0\.1:1: Connection refused$"):
        open_store("etcd://127.0.0.1:1/gw", wait_s=0.1)
