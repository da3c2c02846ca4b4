import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.shared import layout
from gproxy.shared.table import Table, TableError, now_ms

ZEROS, ONES = 0, 2**64 - 1


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table.create(tmp_path / "shared.mmap", slots=4)
    yield made
    made.close()


def test_every_process_that_opens_the_file_sees_the_same_cells(table: Table) -> None:
    other = Table.open(table.path)
    table.cells[table.base(3) + layout.REQUESTS] += 7
    assert other.slots == 4
    assert other.cells[other.base(3) + layout.REQUESTS] == 7
    assert other.total(layout.REQUESTS) == 7
    other.close()


def test_cells_lie_apart() -> None:
    names = [name for name, value in vars(layout).items() if name.isupper() and isinstance(value, int)]
    slot_cells = [getattr(layout, name) for name in names[names.index("HEARTBEAT") :]]
    slot_cells = slot_cells[: names[names.index("HEARTBEAT") :].index("SLOT_CELLS")]
    global_cells = [getattr(layout, name) for name in names[names.index("PUBLISHED") :]]
    global_cells = global_cells[: names[names.index("PUBLISHED") :].index("GLOBAL_END")]
    assert len(set(slot_cells)) == len(slot_cells)
    assert max(slot_cells) < layout.SLOT_CELLS
    assert len(set(global_cells)) == len(global_cells)
    assert min(global_cells) >= layout.HEADER_CELLS
    assert max(global_cells) < layout.GLOBAL_END
    assert layout.GLOBAL_END % 8 == layout.SLOT_CELLS % 8 == 0
    assert set(layout.COUNTER_NAMES.values()).isdisjoint(layout.GAUGES)


def test_claim_and_release_zero_gauges_and_keep_counters(table: Table) -> None:
    base = table.base(1)
    table.cells[base + layout.CONNECTIONS] = 5
    table.cells[base + layout.REQUESTS] = 6
    table.claim(1)
    assert table.cells[base + layout.CONNECTIONS] == 0
    assert table.cells[base + layout.STATE] == layout.STATE_STARTING
    assert abs(now_ms() - table.cells[base + layout.HEARTBEAT]) < 60_000
    table.cells[base + layout.ACTIVE] = 2
    table.release(1)
    assert [table.cells[base + gauge] for gauge in layout.GAUGES] == [0] * len(layout.GAUGES)
    assert table.cells[base + layout.REQUESTS] == 6


@pytest.mark.parametrize("slot", [-1, 4])
def test_there_is_no_slot_outside_the_table(table: Table, slot: int) -> None:
    with pytest.raises(IndexError):
        table.base(slot)


def test_create_replaces_the_file_and_leaves_the_old_mapping_alone(table: Table) -> None:
    table.cells[layout.REVISION] = 9
    fresh = Table.create(table.path, slots=4)
    assert (table.cells[layout.REVISION], fresh.cells[layout.REVISION]) == (9, 0)
    fresh.close()


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        (layout.HEADER_MAGIC, 1, "not a shared-memory table"),
        (layout.HEADER_VERSION, 99, "layout version 99, this program uses 1"),
        (layout.HEADER_SLOTS, 5, "size does not fit"),
    ],
)
def test_a_foreign_file_is_refused(table: Table, cell: int, value: int, reason: str) -> None:
    table.cells[cell] = value
    with pytest.raises(TableError, match=reason):
        Table.open(table.path)


def test_a_short_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"gproxyT\0")
    with pytest.raises(TableError, match="too short"):
        Table.open(tmp_path / "short")


def test_a_full_disk_is_an_error_at_creation_not_a_crash_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _start: int, _length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        Table.create(tmp_path / "shared.mmap")
    assert list(tmp_path.iterdir()) == []


def test_no_reader_sees_a_half_written_cell(table: Table) -> None:
    """One process flips all 64 bits of a cell; another one must see only 0 or all ones in it."""
    cells, index = table.cells, table.base(2) + layout.BYTES_OUT
    writer = os.fork()
    if writer == 0:
        while True:
            cells[index] = ONES
            cells[index] = ZEROS
    seen = {ZEROS: 0, ONES: 0}
    try:
        give_up = time.monotonic() + 20
        while min(seen.values()) < 20_000 and time.monotonic() < give_up:
            for _ in range(1000):
                value = cells[index]
                seen[value] = seen.get(value, 0) + 1
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert seen.keys() == {ZEROS, ONES}
    assert min(seen.values()) >= 20_000
