"""Places: how many requests may be at a server or an API at a time, counted over all workers of a node.

Each worker counts the places that it has taken in a gauge of its own; the sum is what is taken. A place is taken
first and counted afterwards: when that makes one too many, another worker took the last one in the same moment, and
this one gives its place back and looks again. So the limit holds without a lock. The gauges of a worker that dies are
zeroed with its slot, so its places come back.

Who waits for a place is counted too, with the time since when the first one of each worker has waited, so that the
workers let the one go first that has waited longest.
"""

from typing import Final

from gproxy.shared import layout
from gproxy.shared.table import Table

#: How often a place that two workers took at once is tried for again.
_TRIES: Final = 3


class Places:
    """The places as the worker in `slot` takes them."""

    def __init__(self, table: Table, slot: int) -> None:
        self._table = table
        self._cells = table.cells
        self._rows = table.row_base(slot, 0)

    def take(self, row: int, most: int) -> bool:
        """Take one of `most` places of a row; False when there is none left."""
        cells, held = self._cells, self._cell(row, layout.ROW_HELD)
        for _ in range(_TRIES):
            if self._table.row_total(row, layout.ROW_HELD) >= most:
                return False
            cells[held] += 1
            if self._table.row_total(row, layout.ROW_HELD) <= most:
                return True
            cells[held] -= 1
        return False

    def give_back(self, row: int) -> None:
        """Give back a place that was taken."""
        self._cells[self._cell(row, layout.ROW_HELD)] -= 1

    def queued(self, row: int) -> int:
        """Return how many requests of the node wait for a place."""
        return self._table.row_total(row, layout.ROW_QUEUED)

    def note_queue(self, row: int, length: int, since_us: int) -> None:
        """Note how many requests of this worker wait, the first of them since `since_us` (0: nobody waits)."""
        self._cells[self._cell(row, layout.ROW_QUEUED)] = length
        self._cells[self._cell(row, layout.ROW_QUEUED_SINCE)] = since_us

    def is_first(self, row: int, since_us: int) -> bool:
        """Say whether nobody of another worker has waited for longer."""
        return not any(0 < other < since_us for other in self._table.row_values(row, layout.ROW_QUEUED_SINCE))

    def _cell(self, row: int, cell: int) -> int:
        return self._rows + row * layout.ROW_CELLS + cell
