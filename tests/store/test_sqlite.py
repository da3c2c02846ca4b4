import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.store.base import Store, StoreCorrupt, StoreUnavailable
from gproxy.store.open import open_store
from gproxy.store.sqlite import POLL_S, SqliteStore
from tests.store.contract import HEAVY, U1, U2, StoreContract, put


class TestSqlite(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'gateway.db'}"

    def bound_history(self, monkeypatch: pytest.MonkeyPatch, entries: int, changes: int) -> None:
        monkeypatch.setattr("gproxy.store.sqlite_history.HISTORY_ENTRIES", entries)
        monkeypatch.setattr("gproxy.store.sqlite_history.HISTORY_CHANGES", changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with SqliteStore(path, create=True) as store:
        store.write([put(U1)], "ann")
        yield store


def test_a_change_is_seen_within_25_ms() -> None:
    assert POLL_S <= 0.025


def test_a_damaged_document_is_found(path: Path, store: Store) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE objects SET document = '{\"name\": '")
    connection.close()
    with pytest.raises(StoreCorrupt, match="a document in it is damaged"):
        store.read()


def test_a_held_lock_is_said(path: Path, store: Store) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with SqliteStore(path, wait_s=0.05) as other:
        assert other.read().revision == 1, "readers do not wait"
        with pytest.raises(StoreUnavailable) as caught:
            other.write([put(U2)], "bob")
        assert str(caught.value).startswith(f"{path}: locked by another process")
        holder.execute("ROLLBACK")
        assert other.write([put(U2)], "bob") == 2
    holder.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(path: Path, store: SqliteStore) -> None:
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        store.write([put({"name": f"s{n}", "address": "x" * 100}) for n in range(500)], "ann")
    assert store.read().documents() == {"server": {"u1": U1}}
    assert store.write([put(HEAVY)], "ann") == 2


def test_a_deleted_file_is_noticed(path: Path, store: Store) -> None:
    path.unlink()
    for use in (store.read, lambda: store.watch(1, 1), lambda: store.write([put(U2)], "ann")):
        with pytest.raises(StoreUnavailable, match="there is no such store"):
            use()
    assert not path.exists()


def test_a_file_put_in_its_place_is_followed(path: Path, store: Store, tmp_path: Path) -> None:
    """Also when the revision is the same, or higher: its objects have nothing to do with ours."""
    with SqliteStore(tmp_path / "other.db", create=True) as other:
        other.write([put(U2)], "bob")
    assert store.read().revision == 1
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    (tmp_path / "other.db").rename(path)
    news = store.watch(1, 5)
    assert news is not None
    assert (news.revision, news.is_whole) == (1, True)
    assert [item.name for item in news.changed] == ["u2"]
    assert store.watch(1, 0) is None


def test_the_source_is_absolute(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with open_store("sqlite:///gateway.db") as other:
        assert other.source == store.source == f"sqlite:///{path}"
