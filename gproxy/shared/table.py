"""The shared memory of a node: anonymous, made by the master, inherited by every process it forks.

A cell is read and written only as an item of `Table.cells` (a memoryview cast to 'Q'): one aligned 8-byte
move, which readers never see half done. `struct.pack_into` is not: readers see zeros in between.

It is not a file of the run_dir: a full disk cannot end a process that touches a page (SIGBUS), and nothing of a
node that has died is left to be mistaken for the living one.
"""

import mmap
import os
import time
from typing import Self

from gproxy.shared import layout


class TableError(Exception):
    """This is not a shared-memory table that this program can use; the text is one line that says why."""


def now_ms() -> int:
    """Return the monotonic clock in milliseconds: the same clock in all processes of a machine."""
    return time.monotonic_ns() // 1_000_000


class Table:
    """One mapped table for `slots` workers and `rows` servers and APIs.

    Processes forked after `create` share it without doing anything. `fd` is the memory itself: for a process
    that was not forked.
    """

    __slots__ = ("_mapping", "_regions", "cells", "fd", "rows", "slots")

    def __init__(self, fd: int, mapping: mmap.mmap, slots: int, rows: int) -> None:
        self.fd = fd
        self.slots = slots
        self.rows = rows
        self._mapping = mapping
        self._regions = layout.Regions.of(slots, rows)
        self.cells: memoryview = memoryview(mapping).cast("Q")

    @classmethod
    def create(cls, slots: int = layout.DEFAULT_SLOTS, rows: int = layout.DEFAULT_ROWS) -> Self:
        """Make a new table, all zero but its header. Memory is taken page by page as it is used. Raises OSError."""
        size = layout.Regions.of(slots, rows).end * layout.CELL_BYTES
        fd = os.memfd_create("gproxy", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            table = cls(fd, mmap.mmap(fd, size), slots, rows)
        except OSError:
            os.close(fd)
            raise
        table.cells[layout.HEADER_VERSION] = layout.LAYOUT_VERSION
        table.cells[layout.HEADER_SLOTS] = slots
        table.cells[layout.HEADER_ROWS] = rows
        table.cells[layout.HEADER_SECRET] = int.from_bytes(os.urandom(layout.CELL_BYTES), "little")
        table.cells[layout.HEADER_FINGERPRINT] = layout.fingerprint()
        table.cells[layout.HEADER_MAGIC] = layout.MAGIC
        return table

    @classmethod
    def attach(cls, fd: int) -> Self:
        """Map the table of another process, whose `fd` this one was given or has opened; it is the table's now.

        Raises OSError, or TableError for memory of another kind or layout version.
        """
        size = os.fstat(fd).st_size
        if size < layout.HEADER_CELLS * layout.CELL_BYTES:
            raise TableError("too short to be a shared-memory table")
        header = memoryview(os.pread(fd, layout.HEADER_CELLS * layout.CELL_BYTES, 0)).cast("Q")
        if header[layout.HEADER_MAGIC] != layout.MAGIC:
            raise TableError("not a shared-memory table")
        version = header[layout.HEADER_VERSION]
        if version != layout.LAYOUT_VERSION:
            raise TableError(f"layout version {version}, this program uses {layout.LAYOUT_VERSION}")
        if header[layout.HEADER_FINGERPRINT] != layout.fingerprint():
            raise TableError("laid out by a version of the program that has other cells")
        slots, rows = header[layout.HEADER_SLOTS], header[layout.HEADER_ROWS]
        if size != layout.Regions.of(slots, rows).end * layout.CELL_BYTES:
            raise TableError("its size does not fit its header")
        return cls(fd, mmap.mmap(fd, size), slots, rows)

    # -- where cells are ---------------------------------------------------------------------------------------

    def base(self, slot: int) -> int:
        """Return the index of the first cell of `slot` (0 <= slot < slots)."""
        return self._regions.slots + self._slot(slot) * layout.SLOT_CELLS

    def slot_histogram_base(self, slot: int) -> int:
        """Return the first cell of a slot's latency histogram: all exchanges of that worker number."""
        return self._regions.slot_histograms + self._slot(slot) * layout.HISTOGRAM_CELLS

    def ring_base(self, ring: int) -> int:
        """Return the first cell of an event ring: that of a slot, or `slots + layout.RING_SYNC` and so on."""
        if not 0 <= ring < self.slots + layout.ROLE_RINGS:
            raise IndexError(f"ring {ring} of {self.slots + layout.ROLE_RINGS}")
        return self._regions.rings + ring * layout.RING_CELLS

    def row_base(self, slot: int, row: int) -> int:
        """Return the first cell (ROW_*) of a row in a slot."""
        return self._regions.rows + self._place(slot, row) * layout.ROW_CELLS

    def histogram_base(self, slot: int, row: int) -> int:
        """Return the first cell of the latency histogram of a row in a slot."""
        return self._regions.histograms + self._place(slot, row) * layout.HISTOGRAM_CELLS

    def breaker_base(self, slot: int, row: int) -> int:
        """Return the first of the BREAKER_CELLS of a row in a slot."""
        return self._regions.breakers + self._place(slot, row) * layout.BREAKER_CELLS

    def moves(self) -> memoryview:
        """Return the cells, one per slot, that count the moves of circuits which the slot's workers have made."""
        return self.cells[self._regions.moves : self._regions.moves + self.slots]

    def limit_base(self, slot: int, row: int) -> int:
        """Return the first of the LIMIT_CELLS of a row in a slot; those of the next slot follow."""
        return self._regions.limits + (self._row(row) * self.slots + self._slot(slot)) * layout.LIMIT_CELLS

    def key_prints_base(self, key_set: int) -> int:
        """Return where the fingerprints of a set of keys begin: KEY_WAYS per slot, slot after slot."""
        return self._regions.key_prints + key_set * self.slots * layout.KEY_WAYS

    def key_shares_base(self, key_set: int) -> int:
        """Return where the KEY_CELLS of a set of keys begin, in the order of its fingerprints."""
        return self._regions.key_shares + key_set * self.slots * layout.KEY_WAYS * layout.KEY_CELLS

    def sample_base(self, slot: int) -> int:
        """Return the first cell of a slot's samples."""
        return self._regions.samples + self._slot(slot) * (layout.LINE_CELLS + layout.SAMPLES * layout.SAMPLE_CELLS)

    def filter_base(self, slot: int, place: int) -> int:
        """Return the first of the FILTER_* cells of a filter in a slot."""
        if not 0 <= place < layout.MOST_FILTERS:
            raise IndexError(f"filter {place} of {layout.MOST_FILTERS}")
        return self._regions.filters + (self._slot(slot) * layout.MOST_FILTERS + place) * layout.FILTER_CELLS

    def health_base(self, row: int) -> int:
        """Return the first of the HEALTH_* cells of a server's row."""
        return self._regions.health + self._row(row) * layout.HEALTH_CELLS

    def fleet_base(self, row: int) -> int:
        """Return the first of the FLEET_CELLS of a row; sync writes them."""
        return self._regions.fleet + self._row(row) * layout.FLEET_CELLS

    def generation_cell(self, row: int) -> int:
        """Return the cell that counts how often a row was given to another object; sync writes it."""
        return self._regions.row_generations + self._row(row)

    def addresses_base(self, slot: int) -> int:
        """Return the first of the ADDRESS_CELLS of a slot; those of the next slot follow."""
        return self._regions.addresses + self._slot(slot) * layout.ADDRESS_CELLS

    def zero_base(self, row: int) -> int:
        """Return the first of the ROW_ZERO_CELLS of a row; sync writes them."""
        return self._regions.row_zeros + self._row(row) * layout.ROW_ZERO_CELLS

    def _slot(self, slot: int) -> int:
        if not 0 <= slot < self.slots:
            raise IndexError(f"slot {slot} of {self.slots}")
        return slot

    def _row(self, row: int) -> int:
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        return row

    def _place(self, slot: int, row: int) -> int:
        return self._slot(slot) * self.rows + self._row(row)

    # -- slots and sums ----------------------------------------------------------------------------------------

    def claim(self, slot: int) -> None:
        """Make a free slot ready for a new worker: gauges zero, state starting, heartbeat now."""
        base = self.base(slot)
        self._zero_gauges(slot)
        if self.cells[layout.SLOTS_USED] <= slot:
            self.cells[layout.SLOTS_USED] = slot + 1
        self.cells[base + layout.HEARTBEAT] = now_ms()
        self.cells[base + layout.STATE] = layout.STATE_STARTING

    def release(self, slot: int) -> None:
        """Free the slot of a worker that is gone: gauges zero (which is state free), counters kept."""
        self._zero_gauges(slot)

    def _zero_gauges(self, slot: int) -> None:
        """Zero the gauges of a slot and of its rows; the rows of a slot never used before are left untouched."""
        base = self.base(slot)
        if slot < self.cells[layout.SLOTS_USED]:
            rows = self.cells[layout.ROWS_USED]
            first, zeros = self.row_base(slot, 0), memoryview(bytes(rows * layout.CELL_BYTES)).cast("Q")
            for row_gauge in layout.ROW_GAUGES:
                start = first + row_gauge
                self.cells[start : start + rows * layout.ROW_CELLS : layout.ROW_CELLS] = zeros
        if self.cells[base + layout.COUNTS_ADDRESSES]:
            self.cells[base + layout.COUNTS_ADDRESSES] = 0
            start = self.addresses_base(slot)
            zeros = memoryview(bytes(layout.ADDRESS_CELLS * layout.CELL_BYTES)).cast("Q")
            self.cells[start : start + layout.ADDRESS_CELLS] = zeros
        # The state last: a slot that looks free is (to another master, too).
        for gauge in (*(gauge for gauge in layout.GAUGES if gauge != layout.STATE), layout.STATE):
            self.cells[base + gauge] = 0

    def total(self, cell: int) -> int:
        """Return the sum of one slot cell (an offset such as `layout.ACCEPTED`) over all slots."""
        start = self._regions.slots
        return sum(self.cells[start + cell : start + self.slots * layout.SLOT_CELLS : layout.SLOT_CELLS].tolist())

    def row_total(self, row: int, cell: int) -> int:
        """Return the sum of one row cell (an offset such as `layout.ROW_ACTIVE`) over the slots in use."""
        return sum(self.row_values(row, cell))

    def row_values(self, row: int, cell: int) -> list[int]:
        """Return one row cell of every slot in use."""
        start, step = self.row_base(0, row) + cell, self.rows * layout.ROW_CELLS
        return self.cells[start : start + self.cells[layout.SLOTS_USED] * step : step].tolist()

    def close(self) -> None:
        """Unmap. Views taken from `cells` must be released before."""
        self.cells.release()
        self._mapping.close()
        os.close(self.fd)
