"""The history tables of the embedded store. Every function works within the caller's transaction."""

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from gproxy.core.change import Change
from gproxy.store.base import (
    HISTORY_CHANGES,
    HISTORY_ENTRIES,
    Document,
    Entry,
    Key,
    UnknownRevision,
)


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return the revision of the store, and what tells it from any other store."""
    revision, identity = connection.execute("SELECT revision, identity FROM store").fetchone()
    return revision, identity


def oldest_entry(connection: sqlite3.Connection) -> int:
    """Return the revision of the oldest entry; of the next write when there is none."""
    query = "SELECT coalesce(min(revision), 1 + (SELECT revision FROM store)) FROM entries"
    return int(connection.execute(query).fetchone()[0])


def record(connection: sqlite3.Connection, revision: int, author: str, comment: str, changes: Sequence[Change]) -> None:
    """Add the entry of a write, and forget what is beyond the bounds of the history."""
    entry = (revision, time.time(), author, comment, len(changes))
    connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", entry)
    connection.executemany(
        "INSERT INTO changes VALUES (?, ?, ?, ?, ?)",
        ((revision, item.kind, item.name, rendered(item.before), rendered(item.after)) for item in changes),
    )
    (too_many,) = connection.execute(
        "SELECT coalesce(max(revision), 0) FROM (SELECT revision, sum(changes) OVER (ORDER BY revision DESC) "
        "AS total FROM entries) WHERE total > ? AND revision < ?",
        (HISTORY_CHANGES, revision),
    ).fetchone()
    last = max(too_many, revision - HISTORY_ENTRIES)
    connection.execute("DELETE FROM entries WHERE revision <= ?", (last,))
    connection.execute("DELETE FROM changes WHERE revision <= ?", (last,))


def entries(connection: sqlite3.Connection, kind: str | None, name: str | None, limit: int) -> list[Entry]:
    """Return the newest entries, of the store or of one object, newest first."""
    chosen = [value for value in (kind, name) if value is not None]
    where = " ".join(["AND kind = ?", "AND name = ?"][: len(chosen)])
    rows = connection.execute(
        "SELECT revision, time_s, author, comment FROM entries WHERE EXISTS (SELECT 1 FROM changes "
        f"WHERE changes.revision = entries.revision {where}) ORDER BY revision DESC LIMIT ?",
        (*chosen, limit),
    ).fetchall()
    oldest = rows[-1][0] if rows else 0
    changes: dict[int, list[Change]] = {}
    for revision, of_kind, of_name, before, after in connection.execute(
        f"SELECT revision, kind, name, before, after FROM changes WHERE revision >= ? {where}",
        (oldest, *chosen),
    ):
        changes.setdefault(revision, []).append(Change(of_kind, of_name, parsed(before), parsed(after)))
    return [Entry(revision, time_s, author, comment, changes[revision]) for revision, time_s, author, comment in rows]


def taken_back(connection: sqlite3.Connection, objects: dict[Key, Document], revision: int) -> dict[Key, Document]:
    """Return the documents of `revision` from those of now. Raises UnknownRevision."""
    current, _ = head(connection)
    oldest = oldest_entry(connection)
    if not 0 <= revision <= current:
        raise UnknownRevision(f"there is no revision {revision}: the store is at {current}")
    if revision < oldest - 1:
        raise UnknownRevision(f"revision {revision} is forgotten: the history begins at {oldest - 1}")
    state = dict(objects)
    for kind, name, text in connection.execute(
        "SELECT kind, name, before FROM changes WHERE revision > ? ORDER BY revision DESC", (revision,)
    ):
        before = parsed(text)
        if before is None:
            state.pop((kind, name), None)
        else:
            state[kind, name] = before
    return state


def rendered(document: Document | None) -> str | None:
    """Return a document as it is kept."""
    return None if document is None else json.dumps(document, separators=(",", ":"))


def parsed(text: str | None) -> dict[str, Any] | None:
    """Return a document from its kept form."""
    return None if text is None else dict(json.loads(text))
