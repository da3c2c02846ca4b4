"""Opening the file of an embedded store, and saying in one line what is wrong with it."""

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gproxy.store.base import StoreCorrupt, StoreError, StoreMissing, StoreTooNew, StoreUnavailable

#: Kept in the file as SQLite's user_version; raised when an older program could no longer read the file.
FORMAT: Final = 1
SCHEMA: Final = """
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL, identity TEXT NOT NULL
);
CREATE TABLE objects (
    kind TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE entries (
    revision INTEGER PRIMARY KEY, time_s REAL NOT NULL, author TEXT NOT NULL, comment TEXT NOT NULL,
    changes INTEGER NOT NULL
);
CREATE TABLE changes (
    revision INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, before TEXT, after TEXT,
    PRIMARY KEY (revision, kind, name)
) WITHOUT ROWID;
CREATE INDEX changes_by_object ON changes (kind, name, revision);
"""


def open_file(path: Path, create: bool, wait_s: float) -> sqlite3.Connection:
    """Open and check the file; with `create`, make it (and its folder) when it is not there.

    Whatever is done with the connection waits at most `wait_s` for a lock that another process holds.

    The connection is in autocommit mode: transactions are written out. Raises StoreError.
    """
    if create:
        _make_folder(path.parent)
        _make_private(path)
    elif not path.exists():
        raise StoreMissing(f"{path}: there is no such store")
    with translated(path):
        mode = "rwc" if create else "rw"
        uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=wait_s, isolation_level=None)
    try:
        with translated(path):
            _check(path, connection, create, wait_s)
            # A write that was confirmed survives a power cut.
            connection.execute("PRAGMA synchronous = FULL")
    except StoreError:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make a file that is not there yet such that others cannot read it: documents hold secrets of tokens.

    SQLite gives the files beside it the same mode. What is wrong with the place, SQLite will say.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660))


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into those of the port, each one line with the file's name."""
    try:
        yield
    except sqlite3.Error as error:
        # Only the lower byte tells the family (https://www.sqlite.org/rescode.html).
        family = getattr(error, "sqlite_errorcode", 0) & 0xFF
        known = _MEANINGS.get(family)
        if known is None:
            raise StoreUnavailable(f"{path}: {error}") from error
        kind, meaning = known
        raise kind(f"{path}: {meaning}") from error
    except json.JSONDecodeError as error:
        raise StoreCorrupt(f"{path}: a document in it is damaged") from error


_MEANINGS: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_BUSY: (StoreUnavailable, "locked by another process"),
    sqlite3.SQLITE_LOCKED: (StoreUnavailable, "locked by another process"),
    sqlite3.SQLITE_PERM: (StoreUnavailable, "no permission"),
    sqlite3.SQLITE_READONLY: (StoreUnavailable, "the file or its folder is not writable"),
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailable, "the file or its folder cannot be opened or written"),
    sqlite3.SQLITE_FULL: (StoreUnavailable, "the disk is full"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "the disk does not read or write (input/output error)"),
    sqlite3.SQLITE_CORRUPT: (StoreCorrupt, "the file is damaged"),
    sqlite3.SQLITE_NOTADB: (StoreCorrupt, "the file is damaged or not a store"),
}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{folder}: cannot be made: {error.strerror}") from None


def _check(path: Path, connection: sqlite3.Connection, create: bool, wait_s: float) -> None:
    # As of one moment: another process may be creating it, in one transaction.
    connection.execute("BEGIN")
    version = _number(connection, "PRAGMA user_version")
    tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    connection.execute("COMMIT")
    if version > FORMAT:
        raise StoreTooNew(f"{path}: written by a newer version (format {version}, this one reads {FORMAT})")
    if version == 0:
        if tables:
            raise StoreCorrupt(f"{path}: a SQLite file of another program, not a store")
        if not create:
            raise StoreMissing(f"{path}: the file is empty, not a store yet")
        _create(connection, wait_s)
    with closing(connection.execute("PRAGMA quick_check(1)")) as cursor:
        (verdict,) = cursor.fetchone()
    if verdict != "ok":
        raise StoreCorrupt(f"{path}: the file is damaged: {verdict.splitlines()[-1]}")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _create(connection: sqlite3.Connection, wait_s: float) -> None:
    _use_wal(connection, wait_s)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _number(connection, "PRAGMA user_version") == 0:  # else another process was quicker
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO store VALUES (1, 0, ?)", (secrets.token_hex(16),))
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _use_wal(connection: sqlite3.Connection, wait_s: float) -> None:
    """Let readers and one writer work at the same time; the mode is kept in the file.

    SQLite does not wait for other connections here, whatever the busy timeout: several processes that create
    the same store have to try again.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
