from collections.abc import Iterator
from dataclasses import replace

import pytest

from gproxy.core.cache_entry import Entry
from gproxy.core.cache_request import Audience
from gproxy.shared import layout
from gproxy.shared.cache import CacheMemory, Owner
from gproxy.shared.table import Table
from gproxy.worker.cache.shelf import Shelf

ROW = 3
ENTRY = Entry(b"k", b"HTTP/1.1 200 OK\r\n", b"body", 200, 1.0, 60.0, 0.0, Audience.ANYBODY)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    memory = CacheMemory.create(1 << 20)
    yield Shelf(memory, Table.create(2, 8), 1)
    memory.close()


def evicted(shelf: Shelf) -> int:
    return shelf._table.row_total(ROW, layout.ROW_CACHE_EVICTED_BYTES)


def test_an_answer_is_found_by_its_key(shelf: Shelf) -> None:
    assert shelf.find(b"k", b"", ROW) is None
    assert shelf.keep(ENTRY, (), b"", ROW) == (ENTRY, None)
    assert shelf.find(b"k", b"A: b\r\n", ROW) == ENTRY
    shelf.forget(b"k")
    assert shelf.find(b"k", b"", ROW) is None


def test_answers_that_vary_are_found_by_the_fields_they_vary_with(shelf: Shelf) -> None:
    for value in (b"de", b"en"):
        entry, variants = shelf.keep(replace(ENTRY, body=value), (b"lang",), b"Lang: %b\r\n" % value, ROW)
        assert variants is not None
        assert entry.key == variants.key(b"k", b"Lang: %b\r\n" % value)
    found = [shelf.find(b"k", b"Lang: %b\r\n" % value, ROW) for value in (b"de", b"en", b"fr")]
    assert [entry and entry.body for entry in found] == [b"de", b"en", None]
    shelf.keep(ENTRY, (b"accept",), b"Lang: de\r\n", ROW)  # it varies with something else from now on
    assert shelf.find(b"k", b"Lang: en\r\n", ROW) == replace(ENTRY, key=shelf.find(b"k", b"", ROW).key)  # type: ignore[union-attr]
    shelf.forget(b"k")
    assert shelf.find(b"k", b"Lang: de\r\n", ROW) is None


def test_what_is_in_use_stays_and_what_goes_is_counted(shelf: Shelf) -> None:
    shelf._table.cells[layout.SLOTS_USED] = 2
    shelf.keep(ENTRY, (), b"", ROW)
    for number in range(30):
        shelf.keep(replace(ENTRY, key=b"%d" % number, body=b"x" * 100_000), (), b"", ROW)
        assert shelf.find(b"k", b"", ROW) == ENTRY
    assert evicted(shelf) >= 19 * 100_000


def test_what_goes_of_an_api_that_is_gone_is_not_counted_for_another_one(shelf: Shelf) -> None:
    shelf._table.cells[layout.SLOTS_USED] = 2
    for number in range(20):
        shelf.keep(replace(ENTRY, key=b"%d" % number, body=b"x" * 100_000), (), b"", ROW)
        shelf._table.cells[shelf._table.generation_cell(ROW)] += 1
    assert evicted(shelf) == 0


def test_what_is_no_entry_is_not_found(shelf: Shelf) -> None:
    shelf.memory.put(b"k", [b"x"], Owner(0, 0))
    assert shelf.find(b"k", b"", ROW) is None
    shelf.memory.put(b"k", ENTRY.under(b"other").packed(), Owner(0, 0))
    assert shelf.find(b"k", b"", ROW) is None


def test_what_another_worker_stores_is_seen_at_once(shelf: Shelf) -> None:
    other = Shelf(shelf.memory, shelf._table, 0)
    for body in (b"1", b"2", b"x" * 100_000, b"3"):
        other.keep(replace(ENTRY, body=body), (), b"", ROW)
        assert [shelf.find(b"k", b"", ROW).body for _ in range(2)] == [body, body]  # type: ignore[union-attr]
    shelf.memory.purge()
    assert shelf.find(b"k", b"", ROW) is None
    for number in range(60):
        shelf.keep(replace(ENTRY, key=b"%d" % number, body=b"y" * 60_000), (), b"", ROW)
        assert shelf.find(b"%d" % number, b"", ROW) is not None
    assert len(shelf._known) < 40


def test_how_much_it_holds(shelf: Shelf) -> None:
    assert shelf.holds(100_000)
    assert not shelf.holds(1 << 17)
