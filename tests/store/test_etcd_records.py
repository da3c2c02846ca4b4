import json

import pytest

from gproxy.core.change import Change
from gproxy.store.base import Entry, StoreCorrupt, Stored
from gproxy.store.etcd_layout import part_name
from gproxy.store.etcd_records import PART_BYTES, Record, applied, checkpoint, chunked, kept, parts_of, taken_back


def record(revision: int, *changes: Change) -> Record:
    return Record(Entry(revision, 1.5, "ann", "why", list(changes)), f"id{revision}", f"id{revision - 1}", 7)


def change(name: str, before: int | None, after: int | None) -> Change:
    documents = [None if weight is None else {"name": name, "weight": weight} for weight in (before, after)]
    return Change("server", name, *documents)


@pytest.mark.parametrize("count", [0, 1, 5_000])
def test_an_entry_comes_back_however_many_parts_it_has(count: int) -> None:
    made = record(3, *(change(f"s{'ä' * 20}{n}", None, n) for n in range(count)))
    value, parts = made.rendered()
    assert (len(parts) > 1) == (count > 1)
    assert all(len(part) <= PART_BYTES for part in parts)
    assert parts_of(value) == (part_name(3, "id3"), len(parts))
    assert Record.parse(value, parts) == made


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"revision": 1}'])
def test_damage_is_said(value: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        Record.parse(value, [])
    with pytest.raises(StoreCorrupt):
        parts_of(value)
    with pytest.raises(StoreCorrupt):
        kept([value or b"{", b"[[1]]"])


def test_writes_are_applied_in_order_and_taken_back() -> None:
    start = {("server", "a"): Stored("server", "a", 1, {"name": "a", "weight": 1})}
    writes = [
        record(2, change("a", 1, 2), change("b", None, 1)),
        record(3, change("a", 2, None), change("b", 1, 5)),
    ]
    assert applied(start, writes) == {("server", "b"): Stored("server", "b", 3, {"name": "b", "weight": 5})}
    assert taken_back(applied(start, writes), writes) == {("server", "a"): {"name": "a", "weight": 1}}
    assert start.keys() == {("server", "a")}


def test_a_checkpoint_keeps_documents_and_revisions() -> None:
    objects = [Stored("server", f"s{n}", n, {"name": f"s{n}", "note": "x" * 1000}) for n in range(1_000)]
    parts = checkpoint(objects)
    assert len(parts) > 1
    assert kept(parts) == {stored.key: stored for stored in objects}
    assert kept(checkpoint([])) == {}


def test_an_item_larger_than_a_part_has_one_of_its_own() -> None:
    items = ["x", "y" * PART_BYTES, "z"]
    assert [json.loads(chunk) for chunk in chunked(items)] == [[item] for item in items]
