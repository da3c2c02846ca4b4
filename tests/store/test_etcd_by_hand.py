import json

from gproxy.store.base import Store, Stray
from tests.harness.etcd import Etcd
from tests.harness.waiting import eventually
from tests.store.contract import U1, U2, put, remove


def test_what_is_written_by_hand_is_a_stray_until_it_is_written_properly(etcd: Etcd, prefix: str, store: Store) -> None:
    store.write([put(U1), put(U2)], "ann")
    assert store.watch(1, 0.2) is None
    assert store.strays() == []
    etcd.ctl("put", f"{prefix}/server/u1", '{"address": "127.0.0.1:9"}')
    etcd.ctl("put", f"{prefix}/server/u3", "{")
    etcd.ctl("put", f"{prefix}/server/u4", "[]")
    etcd.ctl("put", f"{prefix}/note", "hello")
    etcd.ctl("del", f"{prefix}/server/u2")
    found = [
        Stray("", f"{prefix}/note", None, 0, "is not KIND/NAME"),
        Stray("server", "u1", {"address": "127.0.0.1:9"}, 1),
        Stray("server", "u2", None, 1),
        Stray("server", "u4", None, 0, "must be a JSON object"),
    ]

    def strays() -> list[Stray]:
        assert store.watch(1, 0.2) is None, "it is no write yet"
        return sorted(store.strays(), key=lambda stray: (stray.kind, stray.name))

    seen = eventually(lambda: strays() if len(strays()) == 5 else [])
    assert [stray for stray in seen if stray.name != "u3"] == found
    assert seen[3].problem.startswith("is not JSON: ")
    assert store.read().documents() == {"server": {"u1": U1, "u2": U2}}
    store.write([put({"name": "u1", "address": "127.0.0.1:9"}), remove("u2"), put({"name": "u3"})], "ann")
    assert store.watch(1, 1) is not None
    assert [stray.name for stray in store.strays()] == [f"{prefix}/note", "u4"]
    store.settle([stray for stray in store.strays() if stray.name == "u4"])
    assert [stray.name for stray in store.strays()] == [f"{prefix}/note"]
    assert not etcd.ctl("get", f"{prefix}/server/u4")


def test_what_was_written_by_hand_while_nobody_looked_is_found(etcd: Etcd, prefix: str, store: Store) -> None:
    etcd.ctl("put", f"{prefix}/server/u1", json.dumps(U1))
    assert store.strays() == [Stray("server", "u1", U1, 0)]
    assert store.read().revision == 0
