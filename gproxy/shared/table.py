"""The shared-memory file: `run_dir/shared.mmap`, mapped by every process of a node.

A cell is read and written only as an item of `Table.cells` (a memoryview cast to 'Q'): one aligned 8-byte
move, which readers never see half done. `struct.pack_into` is not: readers see zeros in between.
"""

import mmap
import os
import time
from pathlib import Path
from typing import Self

from gproxy.shared import layout


class TableError(Exception):
    """The file is not a shared-memory table this program can use; the text is one line that names it."""


def now_ms() -> int:
    """Return the monotonic clock in milliseconds: the same clock in all processes of a machine."""
    return time.monotonic_ns() // 1_000_000


class Table:
    """One mapped table. Processes forked after `create` or `open` share it without opening the file again."""

    __slots__ = ("_mapping", "cells", "path", "slots")

    def __init__(self, path: Path, mapping: mmap.mmap, slots: int) -> None:
        self.path = path
        self.slots = slots
        self._mapping = mapping
        self.cells: memoryview = memoryview(mapping).cast("Q")

    @classmethod
    def create(cls, path: Path, slots: int = layout.DEFAULT_SLOTS) -> Self:
        """Put a new table, all zero but its header, in place of whatever is at `path`.

        It is always a new file: processes that a killed master left behind keep writing to the old one.
        Raises OSError.
        """
        fresh = path.with_name(path.name + ".new")
        size = _cells(slots) * layout.CELL_BYTES
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            # Not ftruncate: a hole that meets a full disk later kills the process that touches it (SIGBUS).
            os.posix_fallocate(fd, 0, size)
            table = cls(path, mmap.mmap(fd, size), slots)
        except OSError:
            fresh.unlink()
            raise
        finally:
            os.close(fd)
        table.cells[layout.HEADER_VERSION] = layout.LAYOUT_VERSION
        table.cells[layout.HEADER_SLOTS] = slots
        table.cells[layout.HEADER_SLOT_CELLS] = layout.SLOT_CELLS
        table.cells[layout.HEADER_MAGIC] = layout.MAGIC
        fresh.rename(path)
        return table

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map an existing table. Raises OSError, or TableError for a file of another kind or version."""
        with path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size < layout.HEADER_CELLS * layout.CELL_BYTES:
                raise TableError(f"{path}: too short to be a shared-memory table")
            mapping = mmap.mmap(file.fileno(), size)
        table = cls(path, mapping, 0)
        try:
            table._check(size)
        except TableError:
            table.close()
            raise
        table.slots = table.cells[layout.HEADER_SLOTS]
        return table

    def _check(self, size: int) -> None:
        cells = self.cells
        if cells[layout.HEADER_MAGIC] != layout.MAGIC:
            raise TableError(f"{self.path}: not a shared-memory table")
        version = cells[layout.HEADER_VERSION]
        if version != layout.LAYOUT_VERSION or cells[layout.HEADER_SLOT_CELLS] != layout.SLOT_CELLS:
            raise TableError(f"{self.path}: layout version {version}, this program uses {layout.LAYOUT_VERSION}")
        if size != _cells(cells[layout.HEADER_SLOTS]) * layout.CELL_BYTES:
            raise TableError(f"{self.path}: its size does not fit its header")

    def base(self, slot: int) -> int:
        """Return the index of the first cell of `slot` (0 <= slot < slots)."""
        if not 0 <= slot < self.slots:
            raise IndexError(f"slot {slot} of {self.slots}")
        return layout.GLOBAL_END + slot * layout.SLOT_CELLS

    def claim(self, slot: int) -> None:
        """Make a free slot ready for a new worker: gauges zero, state starting, heartbeat now."""
        base = self.base(slot)
        for gauge in layout.GAUGES:
            self.cells[base + gauge] = 0
        self.cells[base + layout.HEARTBEAT] = now_ms()
        self.cells[base + layout.STATE] = layout.STATE_STARTING

    def release(self, slot: int) -> None:
        """Free the slot of a worker that is gone: gauges zero (which is state free), counters kept."""
        base = self.base(slot)
        for gauge in layout.GAUGES:
            self.cells[base + gauge] = 0

    def total(self, cell: int) -> int:
        """Return the sum of one slot cell (an offset such as `layout.REQUESTS`) over all slots."""
        return sum(self.cells[layout.GLOBAL_END + cell :: layout.SLOT_CELLS].tolist())

    def close(self) -> None:
        """Unmap. Views taken from `cells` must be released before."""
        self.cells.release()
        self._mapping.close()


def _cells(slots: int) -> int:
    return layout.GLOBAL_END + slots * layout.SLOT_CELLS
