"""The embedded store: one SQLite file in WAL mode, used by many processes of one machine at the same time.

Writers take turns (`BEGIN IMMEDIATE`), readers never wait. What changed since a revision is read from the
history.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gproxy.core.change import Change
from gproxy.store import sqlite_history as history
from gproxy.store.base import (
    ABSENT,
    HISTORY_ENTRIES,
    WAIT_S,
    Conflict,
    Document,
    Entry,
    News,
    State,
    Store,
    Stored,
    StoreMissing,
    StoreUnavailable,
    Write,
)
from gproxy.store.nodes_folder import FolderRegistry
from gproxy.store.sqlite_file import open_file, translated

#: A change is seen this soon. One look is a `stat` and a read of the WAL's shared memory: a few microseconds.
POLL_S: Final = 0.02


class SqliteStore(Store):
    """A store in the file at `path`. With `create` the file is made when it is not there.

    `wait_s` is how long to wait for a lock that another process holds.
    """

    def __init__(self, path: Path, create: bool = False, wait_s: float = WAIT_S) -> None:
        self._path = path.absolute()
        self.source = f"sqlite:///{self._path}"
        self.registry = FolderRegistry(self._path.with_suffix(".nodes"))
        self._wait_s = wait_s
        self._connection = open_file(self._path, create, wait_s)
        self._file = self._file_now()
        self._identity = ""  # that of the last `read` or `watch`

    def read(self) -> State:
        """Return all objects of one moment."""
        with self._transaction("BEGIN") as connection:
            revision, self._identity = history.head(connection)
            return State(revision, {stored.key: stored for stored in _objects(connection)})

    def get(self, kind: str, name: str) -> Stored | None:
        """Return one object."""
        with self._transaction("BEGIN") as connection:
            return _get(connection, kind, name)

    def write(
        self,
        writes: Sequence[Write],
        author: str,
        comment: str = "",
        expected_revision: int | None = None,
    ) -> int:
        """Make all writes or none, in one new revision, and return it."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            current, _ = history.head(connection)
            if expected_revision is not None and expected_revision != current:
                raise Conflict.of_store(expected_revision, current)
            changes = [change for item in writes if (change := _change(connection, item))]
            if not changes:
                return current
            revision = current + 1
            for change in changes:
                _apply(connection, revision, change)
            connection.execute("UPDATE store SET revision = ?", (revision,))
            history.record(connection, revision, author, comment, changes)
            return revision

    def history(self, kind: str | None = None, name: str | None = None, limit: int = HISTORY_ENTRIES) -> list[Entry]:
        """Return entries, newest first."""
        with self._transaction("BEGIN") as connection:
            return history.entries(connection, kind, name, limit)

    def state_at(self, revision: int) -> dict[str, dict[str, Document]]:
        """Return the documents by kind and name as they were at a revision."""
        found: dict[str, dict[str, Document]] = {}
        with self._transaction("BEGIN") as connection:
            now = {item.key: item.document for item in _objects(connection)}
            for (kind, name), document in sorted(history.taken_back(connection, now, revision).items()):
                found.setdefault(kind, {})[name] = document
        return found

    def watch(self, after_revision: int, timeout_s: float) -> News | None:
        """Wait until the revision is not `after_revision`; return what is new, None after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        version = -1
        while True:
            if self._is_replaced():
                self._reopen()
                version = -1
            seen = self._data_version()
            if seen != version:
                version = seen
                news = self._news(after_revision)
                if news is not None:
                    return news
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(POLL_S, left))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _news(self, after_revision: int) -> News | None:
        with self._transaction("BEGIN") as connection:
            revision, identity = history.head(connection)
            is_other = self._identity not in ("", identity)
            self._identity = identity
            if revision == after_revision and not is_other:
                return None
            if is_other or revision < after_revision or after_revision < history.oldest_entry(connection) - 1:
                return News(revision, list(_objects(connection)), is_whole=True)
            changed, removed = [], set()
            for kind, name, since, document in connection.execute(
                "SELECT DISTINCT kind, name, objects.revision, document FROM changes "
                "LEFT JOIN objects USING (kind, name) WHERE changes.revision > ?",
                (after_revision,),
            ):
                if document is None:
                    removed.add((kind, name))
                else:
                    changed.append(Stored(kind, name, since, json.loads(document)))
            return News(revision, changed, frozenset(removed))

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        """Give the connection within one transaction, rolled back when an error leaves it."""
        if self._is_replaced():
            self._reopen()
        connection = self._connection
        with translated(self._path):
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _data_version(self) -> int:
        with translated(self._path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _file_now(self) -> tuple[int, int]:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            raise StoreMissing(f"{self._path}: there is no such store") from None
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from None
        return status.st_dev, status.st_ino

    def _is_replaced(self) -> bool:
        """Tell whether the name now leads to another file: ours is still open, but belongs to nobody."""
        return self._file_now() != self._file

    def _reopen(self) -> None:
        connection = open_file(self._path, create=False, wait_s=self._wait_s)
        self._connection.close()
        self._connection, self._file = connection, self._file_now()


def _objects(connection: sqlite3.Connection) -> Iterator[Stored]:
    rows = connection.execute("SELECT kind, name, revision, document FROM objects ORDER BY kind, name")
    for kind, name, revision, document in rows:
        yield Stored(kind, name, revision, json.loads(document))


def _get(connection: sqlite3.Connection, kind: str, name: str) -> Stored | None:
    row = connection.execute(
        "SELECT revision, document FROM objects WHERE kind = ? AND name = ?", (kind, name)
    ).fetchone()
    return Stored(kind, name, row[0], json.loads(row[1])) if row else None


def _change(connection: sqlite3.Connection, item: Write) -> Change | None:
    """Return what the write changes, None when it is done already. Raises Conflict."""
    theirs = _get(connection, item.kind, item.name)
    actual = theirs.revision if theirs else ABSENT
    if item.expected is not None and item.expected != actual:
        raise Conflict.of(item, theirs)
    before = theirs.document if theirs else None
    return None if before == item.document else Change(item.kind, item.name, before, item.document)


def _apply(connection: sqlite3.Connection, revision: int, change: Change) -> None:
    if change.after is None:
        connection.execute("DELETE FROM objects WHERE kind = ? AND name = ?", (change.kind, change.name))
    else:
        row = (change.kind, change.name, revision, history.rendered(change.after))
        connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", row)
