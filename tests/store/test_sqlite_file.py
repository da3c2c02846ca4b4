import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gproxy.store import sqlite_file
from gproxy.store.base import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable
from gproxy.store.sqlite import SqliteStore
from gproxy.store.sqlite_file import open_file
from tests.store.contract import put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


def one_line(caught: pytest.ExceptionInfo[StoreError], path: Path) -> str:
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


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


def test_others_cannot_read_it(path: Path) -> None:
    with SqliteStore(path, create=True) as store:
        store.write([put({"name": "u1", "address": "x"})], "ann")
        files = list(path.parent.glob(f"{path.name}*"))
        assert len(files) > 1
        assert [file.name for file in files if file.stat().st_mode & 0o007] == []


def test_what_its_owner_lets_others_do_stays(path: Path) -> None:
    SqliteStore(path, create=True).close()
    path.chmod(0o666)
    SqliteStore(path, create=True).close()
    assert path.stat().st_mode & 0o777 == 0o666


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


def test_a_newer_format_is_refused(path: Path) -> None:
    SqliteStore(path, create=True).close()
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


def test_one_that_another_process_is_just_creating_is_not_of_another_program(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = sqlite_file._number

    def number_and_then_another_comes(connection: sqlite3.Connection, query: str) -> int:
        found = number(connection, query)
        monkeypatch.setattr(sqlite_file, "_number", number)
        with contextlib.suppress(StoreUnavailable):
            open_file(path, create=True, wait_s=0.02).close()
        return found

    monkeypatch.setattr(sqlite_file, "_number", number_and_then_another_comes)
    connection = open_file(path, create=True, wait_s=5)
    assert connection.execute("SELECT revision FROM store").fetchone() == (0,)
    connection.close()


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
