from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gproxy.monitor.current import Current
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store import snapshot_file


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(2, rows=16)
    yield made
    made.close()


@pytest.fixture
def taken() -> list[list[bytes]]:
    return []


@pytest.fixture
def current(table: Table, tmp_path: Path, taken: list[list[bytes]]) -> Current:
    def take(lines: Sequence[bytes]) -> None:
        if b"bad" in lines:
            raise KeyError("row")
        taken.append(list(lines))

    return Current(table, tmp_path / "snapshot.jsonl", (take, take))


def publish(table: Table, folder: Path, *lines: bytes) -> None:
    snapshot_file.write(folder / "snapshot.jsonl", 1, "test", lines)
    table.cells[layout.PUBLISHED] += 1


def test_every_taker_gets_each_snapshot_once(
    current: Current, table: Table, tmp_path: Path, taken: list[list[bytes]]
) -> None:
    current.look()
    assert taken == []
    publish(table, tmp_path, b"a")
    current.look()
    current.look()
    assert taken == [[b"a"]] * 2
    publish(table, tmp_path, b"a", b"b")
    current.look()
    assert taken[2:] == [[b"a", b"b"]] * 2


def test_one_that_cannot_be_used_is_logged_once(
    current: Current, table: Table, tmp_path: Path, taken: list[list[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    publish(table, tmp_path, b"bad")
    current.look()
    current.look()
    (record,) = caplog.records
    assert record.message == "cannot use the published snapshot, keeping the last one"
    table.cells[layout.PUBLISHED] += 1
    (tmp_path / "snapshot.jsonl").unlink()
    current.look()
    assert len(caplog.records) == 2
    publish(table, tmp_path, b"good")
    current.look()
    assert taken == [[b"good"]] * 2
