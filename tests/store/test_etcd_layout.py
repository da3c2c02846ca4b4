import pytest

from gproxy.core.schema import KINDS
from gproxy.store.base import StoreCorrupt
from gproxy.store.etcd_layout import NEW, Head, Layout, part_name

LAYOUT = Layout("/gw")


def test_objects_are_where_people_look_for_them() -> None:
    assert LAYOUT.object(("server", "u1")) == "/gw/server/u1"
    assert LAYOUT.key_of("/gw/server/u1") == ("server", "u1")
    for other in ("/gw/server", "/gw/server/", "/gw//u1", "/gw/server/u1/x"):
        assert LAYOUT.key_of(other) is None


def test_the_range_of_objects_has_all_of_them_and_nothing_else() -> None:
    first, end = LAYOUT.objects
    for kind in (*KINDS, "routing", "X", "0"):
        assert first <= LAYOUT.object((kind, "x")) < end
    for own in (LAYOUT.head, LAYOUT.nodes, LAYOUT.parts, "/gw0", "/gw2/server/u1", "/gx"):
        assert not first <= own < end


def test_keys_of_writes_sort_by_revision() -> None:
    assert sorted(map(LAYOUT.entry, (10, 9, 100))) == list(map(LAYOUT.entry, (9, 10, 100)))
    first, end = LAYOUT.part(LAYOUT.parts, part_name(9, "ff")), LAYOUT.part(LAYOUT.parts, part_name(10, ""))
    assert first < end < LAYOUT.part(LAYOUT.parts, part_name(10, "00"))


def test_a_head_keeps_everything() -> None:
    head = Head(12, "id", 3, 40, 7, 10, "cp", 2, 1_000, 55, 12)
    assert Head.parse(head.rendered()) == head


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"3", b'{"revision": "x"}', b"\xff"])
def test_a_damaged_head_is_said(value: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        Head.parse(value)


def test_an_empty_store_has_no_writes() -> None:
    assert (NEW.revision, NEW.oldest, NEW.shown) == (0, 1, 0)
