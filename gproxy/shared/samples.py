"""Samples: short texts that workers leave for the monitor, the last few of each slot.

As in event rings, every slot has records of its own, so nobody waits for anybody. A record carries its number, zero
while it is written; a reader takes what has the same right number before and after it was copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from gproxy.shared import layout
from gproxy.shared.table import Table

#: The longest text of a sample, in bytes.
MOST_BYTES = (layout.SAMPLE_CELLS - layout.SAMPLE_TEXT) * layout.CELL_BYTES


class SampleWriter:
    """Writes the samples of one slot."""

    def __init__(self, table: Table, slot: int) -> None:
        self._cells = table.cells
        self._head = table.sample_base(slot)

    def tell(self, text: bytes) -> None:
        """Leave a text of at most MOST_BYTES, in place of the oldest; raises ValueError for a longer one."""
        if len(text) > MOST_BYTES:
            raise ValueError(f"a sample of {len(text)} bytes, the most is {MOST_BYTES}")
        cells, number = self._cells, self._cells[self._head] + 1
        record = _record(self._head, number)
        padded = text + b"\0" * (-len(text) % layout.CELL_BYTES)
        start = record + layout.SAMPLE_TEXT
        cells[record + layout.SAMPLE_NUMBER] = 0
        cells[record + layout.SAMPLE_BYTES] = len(text)
        cells[start : start + len(padded) // layout.CELL_BYTES] = memoryview(padded).cast("Q")
        cells[record + layout.SAMPLE_NUMBER] = number
        cells[self._head] = number


def samples(table: Table) -> Iterator[bytes]:
    """Yield the texts of every slot that was ever used, the oldest of each slot first."""
    cells = table.cells
    for slot in range(cells[layout.SLOTS_USED]):
        head = table.sample_base(slot)
        last = cells[head]
        for number in range(max(0, last - layout.SAMPLES) + 1, last + 1):
            record = _record(head, number)
            copy = cells[record : record + layout.SAMPLE_CELLS].tobytes()
            read = memoryview(copy).cast("Q")
            length = read[layout.SAMPLE_BYTES]
            # The number is copied first and looked at again last: whoever wrote in between has changed it.
            if read[layout.SAMPLE_NUMBER] == number == cells[record + layout.SAMPLE_NUMBER] and length <= MOST_BYTES:
                start = layout.SAMPLE_TEXT * layout.CELL_BYTES
                yield copy[start : start + length]


def _record(head: int, number: int) -> int:
    return head + layout.LINE_CELLS + (number - 1) % layout.SAMPLES * layout.SAMPLE_CELLS
