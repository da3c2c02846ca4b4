import threading
import time

import pytest

from gproxy.store.base import Store, StoreError, StoreUnavailable, Write
from gproxy.store.etcd_commit import OBJECTS_AT_ONCE, Committer
from gproxy.store.open import open_store
from tests.harness.etcd import Etcd
from tests.harness.waiting import eventually
from tests.store.conftest import keys
from tests.store.contract import put, remove


def many(count: int, weight: int = 1) -> list[Write]:
    return [put({"name": f"s{n}", "address": "127.0.0.1:1", "weight": weight}) for n in range(count)]


def test_a_write_of_any_size_is_one_revision_that_nobody_sees_half_of(url: str, store: Store) -> None:
    """10 times more objects than a transaction may have, and more bytes than a request may have."""
    count = 10 * OBJECTS_AT_ONCE
    seen: list[tuple[int, set[int]]] = []
    stop = threading.Event()

    def look() -> None:
        with open_store(url) as other:
            while not stop.is_set():
                state = other.read()
                seen.append((len(state.objects), {item.document["weight"] for item in state.objects.values()}))

    reader = threading.Thread(target=look)
    reader.start()
    for weight in (1, 2):
        documents = [
            put({"name": f"s{n}", "address": "127.0.0.1:1", "weight": weight, "x": "x" * 2_000}) for n in range(count)
        ]
        assert store.write(documents, "ann") == weight
        news = store.watch(weight - 1, 0)
        assert news is not None
        assert len(news.changed) == count
    eventually(lambda: seen[-1][1] == {2}, about="the reader sees the last state")
    stop.set()
    reader.join()
    assert {number for number, _ in seen} <= {0, count}
    assert all(len(weights) < 2 for _, weights in seen), "never a part of the second write"
    assert len(store.history()[0].changes) == count


def test_a_large_write_is_shown_to_people_afterwards(etcd: Etcd, prefix: str, store: Store) -> None:
    store.write(many(250), "ann")
    store.write([*many(249, 7), remove("s249")], "ann")
    assert len([key for key in keys(etcd, prefix) if key.startswith("/server/")]) == 249
    assert '"weight":7' in etcd.ctl("get", f"{prefix}/server/s248", "--print-value-only")
    assert store.strays() == []


def test_a_few_large_objects_are_written_and_changed_like_others(etcd: Etcd, prefix: str, store: Store) -> None:
    """More bytes than a request may have, in fewer objects than a transaction may; each form nearly fills a request."""
    for letter in "ab":
        few = [put({"name": f"f{n}", "address": "127.0.0.1:1", "note": letter * 100_000}) for n in range(20)]
        store.write([*few, put({"name": "large", "address": "127.0.0.1:1", "note": letter * 1_300_000})], "ann")
    (change,) = store.history("server", "large", 1)[0].changes
    assert change.before is not None
    assert change.after is not None
    assert (change.before["note"][0], change.after["note"][0]) == ("a", "b")
    assert store.state_at(1)["server"]["large"] == change.before
    with open_store(etcd.url(prefix)) as other:
        assert other.read().documents() == store.read().documents()
    assert '"note":"b' in etcd.ctl("get", f"{prefix}/server/large", "--print-value-only")
    assert store.strays() == []


def test_an_object_that_could_not_be_changed_any_more_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"server large is too large: 1550\d+ bytes, at most 1400000"):
        store.write([put({"name": "large", "address": "127.0.0.1:1", "note": "x" * 1_550_000})], "ann")
    assert store.read().revision == 0


def test_nothing_is_left_of_pruned_writes(
    etcd: Etcd, prefix: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gproxy.store.etcd_commit.HISTORY_ENTRIES", 3)
    for weight in range(9):
        store.write([*many(OBJECTS_AT_ONCE + 1, weight)], "ann")
    own = [key for key in keys(etcd, prefix) if key.startswith("/.store/")]
    assert [key for key in own if "history" in key] == [f"/.store/history/000000000{n}" for n in (7, 8, 9)]
    assert len({key.split("/")[3] for key in own if "checkpoint" in key}) == 1
    assert all(int(key.split("/")[3][:10]) >= 7 for key in own if "parts" in key)


def test_a_write_is_done_even_if_it_cannot_be_shown(
    etcd: Etcd, prefix: str, store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people see is a copy: whoever watches brings it in line later."""

    def fail(committer: Committer, batch: object) -> bool:
        raise StoreUnavailable("gone in this moment")

    with monkeypatch.context() as broken:
        broken.setattr(Committer, "_show_batch", fail)
        assert store.write(many(OBJECTS_AT_ONCE + 1), "ann") == 1
    monkeypatch.setattr("gproxy.store.etcd_by_hand.SHOWN_WITHIN_S", 0)
    with open_store(url) as other:
        assert other.strays() == [], "nothing of it was written by hand"
        time.sleep(0.01)
        assert other.strays() == [], "but it is time to show it"
    assert len([key for key in keys(etcd, prefix) if key.startswith("/server/")]) == OBJECTS_AT_ONCE + 1
