import json
import sqlite3
from collections.abc import Iterator

import pytest

from gproxy.core.change import Change
from gproxy.store import sqlite_history as history
from gproxy.store.sqlite_file import SCHEMA


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    connection.execute("INSERT INTO store VALUES (1, 0, 'x')")
    yield connection
    connection.close()


def record(connection: sqlite3.Connection, revision: int, *names: str) -> None:
    connection.execute("UPDATE store SET revision = ?", (revision,))
    changes = [Change("server", name, None, {"name": name}) for name in names]
    history.record(connection, revision, "ann", "", changes)


def kept(connection: sqlite3.Connection) -> tuple[list[int], list[int]]:
    """Return the revisions in both tables."""
    entries = [row[0] for row in connection.execute("SELECT revision FROM entries ORDER BY revision")]
    changes = [row[0] for row in connection.execute("SELECT DISTINCT revision FROM changes ORDER BY revision")]
    return entries, changes


def test_the_oldest_entry_of_none_is_the_next_write(connection: sqlite3.Connection) -> None:
    assert history.oldest_entry(connection) == 1
    record(connection, 1, "a")
    assert history.oldest_entry(connection) == 1


def test_old_entries_are_forgotten_with_their_changes(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "HISTORY_ENTRIES", 2)
    for revision in (1, 2, 3, 4):
        record(connection, revision, "a")
    assert kept(connection) == ([3, 4], [3, 4])


@pytest.mark.parametrize(
    ("sizes", "left"), [([2, 2, 1], [1, 2, 3]), ([2, 2, 2], [2, 3]), ([1, 1, 9], [3]), ([9, 1], [2])]
)
def test_large_entries_are_forgotten_sooner_but_never_the_newest(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, sizes: list[int], left: list[int]
) -> None:
    monkeypatch.setattr(history, "HISTORY_CHANGES", 5)
    for revision, size in enumerate(sizes, 1):
        record(connection, revision, *(f"s{number}" for number in range(size)))
    assert kept(connection) == (left, left)


def test_documents_are_kept_as_json() -> None:
    document = {"name": "\u00e4", "nested": {"list": [1, 2.5, None]}}
    assert history.parsed(history.rendered(document)) == document
    assert history.rendered(None) is history.parsed(None) is None
    with pytest.raises(json.JSONDecodeError):
        history.parsed("{")
