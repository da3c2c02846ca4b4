import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.store.base import Store, StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable
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


def one_line(caught: pytest.ExceptionInfo[StoreError], path: Path) -> str:
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_a_change_is_seen_within_25_ms() -> None:
    assert POLL_S <= 0.025


def test_a_missing_file_is_said_and_not_made(path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path)
    assert "there is no such store" in one_line(caught, path)
    assert not path.exists()


def test_an_empty_file_is_not_a_store_until_it_is_made_one(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnavailable, match="the file is empty"):
        SqliteStore(path)
    with SqliteStore(path, create=True) as store:
        assert store.read().revision == 0


def test_a_file_that_is_no_database_is_corrupt(path: Path) -> None:
    path.write_bytes(b"servers: []\n" * 100)
    with pytest.raises(StoreCorrupt) as caught:
        SqliteStore(path)
    assert "damaged or not a store" in one_line(caught, path)


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="of another program"):
        SqliteStore(path, create=True)
    assert path.read_bytes() == before


def test_damaged_pages_are_found(path: Path) -> None:
    with SqliteStore(path, create=True) as store:
        store.write([put({"name": f"s{n}", "address": "x" * 100}) for n in range(500)], "ann")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))
    with pytest.raises(StoreCorrupt) as caught:
        SqliteStore(path)
    assert "damaged" in one_line(caught, path)


def test_a_damaged_document_is_found(path: Path, store: Store) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE objects SET document = '{\"name\": '")
    connection.close()
    with pytest.raises(StoreCorrupt, match="a document in it is damaged"):
        store.read()


def test_a_newer_format_is_refused(path: Path, store: Store) -> None:
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StoreTooNew) as caught:
        SqliteStore(path)
    assert "written by a newer version (format 2, this one reads 1)" in one_line(caught, path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        SqliteStore(tmp_path / "file" / "gateway.db", create=True)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreUnavailable, match="cannot be opened or written"):
            SqliteStore(tmp_path / "gateway.db", create=True)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_in_place_of_the_file_is_said(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailable, match="cannot be opened or written"):
        SqliteStore(path, create=True)


def test_a_held_lock_is_said(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.store.sqlite_file.BUSY_S", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with SqliteStore(path) as other:
        assert other.read().revision == 1, "readers do not wait"
        with pytest.raises(StoreUnavailable) as caught:
            other.write([put(U2)], "bob")
        assert "locked by another process" in one_line(caught, path)
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
        with pytest.raises(StoreUnavailable, match="No such file"):
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


def test_processes_may_create_the_same_store_at_once(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gproxy.store.sqlite import SqliteStore\n"
        "sys.stdin.readline()\n"
        "print(SqliteStore(Path(sys.argv[1]), create=True).read().revision)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda process=process: results.append(process.communicate("go\n", 30)[0]))
        for process in processes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["0\n"] * 4
    assert [process.returncode for process in processes] == [0] * 4


def test_the_source_is_absolute(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with open_store("sqlite:///gateway.db") as other:
        assert other.source == store.source == f"sqlite:///{path}"
