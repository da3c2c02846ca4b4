"""What is taken over of what was written by hand, with a store that shows it, and a real etcd for the whole way."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.schema import PLURALS
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import ABSENT, StoreUnavailable, Stray, Write
from gproxy.store.sqlite import SqliteStore
from gproxy.sync.adopt import AGAIN_S, AUTHOR, Adopter


class Shown(SqliteStore):
    """A store whose strays the test decides."""

    found: Sequence[Stray] = ()
    settled: Sequence[Stray] = ()
    is_read_only = False

    def strays(self) -> Sequence[Stray]:
        return self.found

    def settle(self, strays: Sequence[Stray]) -> None:
        self.settled = strays

    def write(self, *arguments: Any, **named: Any) -> int:
        if self.is_read_only:
            raise StoreUnavailable("no permission")
        return super().write(*arguments, **named)


U1 = {"name": "u1", "address": "127.0.0.1:1"}
C1 = {"name": "c1", "servers": ["u1"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Shown]:
    with Shown(tmp_path / "gateway.db", create=True) as store:
        store.write([Write("server", "u1", U1), Write("cluster", "c1", C1)], "ann")
        yield store


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create(slots=1, rows=64)
    yield table
    table.close()


def look(store: Shown, adopter: Adopter, *strays: Stray, now_s: float = 0.0) -> None:
    store.found = strays
    adopter.look(store, store.read().revision, now_s)


def test_what_is_valid_becomes_a_write_with_an_entry_in_the_history(store: Shown, table: Table) -> None:
    changed = Stray("server", "u1", {**U1, "weight": 5}, 1)
    added = Stray("server", "u2", {"address": "127.0.0.1:2"}, ABSENT)
    look(store, Adopter(table), changed, added)
    assert store.read().documents()["server"] == {
        "u1": {**U1, "weight": 5},
        "u2": {"name": "u2", "address": "127.0.0.1:2"},
    }
    assert store.history()[0].author == AUTHOR
    assert store.settled == [changed, added]


def test_what_is_invalid_is_said_once_and_ignored_while_the_rest_applies(
    store: Shown, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    adopter = Adopter(table)
    strays = (
        Stray("server", "u1", {**U1, "weight": -5}, 1),
        Stray("server", "u2", {"name": "u2", "address": "127.0.0.1:2"}, ABSENT),
        Stray("server", "u3", None, ABSENT, "is not JSON: line 1"),
        Stray("cluster", "c2", {"name": "c2", "servers": ["u4"]}, ABSENT),
        Stray("nonsense", "x", {"name": "x"}, ABSENT),
        Stray("", "/gw/x", None, ABSENT, "is not KIND/NAME"),
    )
    look(store, adopter, *strays)
    look(store, adopter, *strays)
    look(store, adopter, *strays, now_s=AGAIN_S + 1)
    assert set(store.read().documents()["server"]) == {"u1", "u2"}
    said = [record.getMessage().removeprefix("written by hand and ignored: ") for record in caplog.records]
    assert sorted(said) == [
        "/gw/x is not KIND/NAME",
        'clusters[c2].servers[0]: there is no server "u4"',
        f"nonsense[x] is of no known kind ({', '.join(PLURALS)})",
        "servers[u1].weight: must be at least 0, not -5",
        "servers[u3] is not JSON: line 1",
    ]
    assert table.cells[layout.SYNC_REJECTED] == 1


def test_what_had_to_wait_for_something_else_is_taken_over_then(store: Shown, table: Table) -> None:
    adopter = Adopter(table)
    waiting = Stray("cluster", "c2", {"name": "c2", "servers": ["u2"]}, ABSENT)
    look(store, adopter, waiting)
    assert set(store.read().documents()["cluster"]) == {"c1"}
    look(store, adopter, waiting, Stray("server", "u2", {"name": "u2", "address": "127.0.0.1:2"}, ABSENT))
    assert set(store.read().documents()["cluster"]) == {"c1", "c2"}


def test_a_deletion_that_leaves_something_dangling_is_ignored(
    store: Shown, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    deleted = Stray("server", "u1", None, 1)
    other = Stray("server", "u2", {"name": "u2", "address": "127.0.0.1:2"}, ABSENT)
    look(store, Adopter(table), deleted, other)
    assert set(store.read().documents()["server"]) == {"u1", "u2"}
    assert 'clusters[c1].servers[0]: there is no server "u1"' in caplog.text
    look(store, Adopter(table), Stray("cluster", "c1", None, 1), deleted)
    assert store.read().documents().get("cluster", {}) == {}


def test_an_object_that_was_written_properly_since_then_is_left_alone(store: Shown, table: Table) -> None:
    store.write([Write("server", "u1", {**U1, "weight": 7})], "ann")
    look(store, Adopter(table), Stray("server", "u1", {**U1, "weight": 5}, 1))
    assert store.read().documents()["server"]["u1"]["weight"] == 7


def test_the_same_in_other_words_is_no_write_but_settled(store: Shown, table: Table) -> None:
    same = Stray("server", "u1", {**U1, "weight": 1}, 1)
    look(store, Adopter(table), same)
    assert (store.read().revision, store.settled) == (1, [same])


def test_a_store_that_cannot_be_brought_in_line_can_be_followed_all_the_same(
    store: Shown, table: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody died while showing what was written; what is left of it, a node without permission cannot finish."""
    asked = []

    def strays() -> Sequence[Stray]:
        asked.append(1)
        raise StoreUnavailable("no permission")

    monkeypatch.setattr(store, "strays", strays)
    adopter = Adopter(table)
    for _ in range(3):
        adopter.look(store, 1, 0.0)
    assert len(asked) == 1, "not again at once"
    assert "cannot take over what was written by hand: no permission" in caplog.text
    monkeypatch.undo()
    look(store, adopter, Stray("server", "u1", {**U1, "weight": 5}, 1), now_s=60)
    assert store.read().documents()["server"]["u1"]["weight"] == 5


def test_without_permission_to_write_it_is_said_and_tried_again(
    store: Shown, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    adopter, stray = Adopter(table), Stray("server", "u1", {**U1, "weight": 5}, 1)
    store.is_read_only = True
    look(store, adopter, stray)
    assert "cannot take over what was written by hand: no permission" in caplog.text
    store.is_read_only = False
    look(store, adopter, stray, now_s=10)
    assert store.read().revision == 2
