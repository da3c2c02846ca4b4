"""Which row of the shared memory belongs to which server, API or rule: stable for as long as the name exists.

A freed row rests before another object gets it, because requests of the configuration before may still write to it.
Then what it has counted so far becomes its zero line, so that the new owner begins with nothing while the cells,
which belong to the workers, go on.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import Key

#: Kinds of objects that have a row.
COUNTED: Final = ("server", "cluster", "api", "routing")
#: How long a freed row rests. Shorter only when there is no other row left.
REST_S: Final = 60.0


class NoRoom(Exception):
    """There are more objects than rows; the text is a problem of the configuration."""


class Rows:
    """The rows of one table. `lines` are those of the last snapshot: their objects keep the rows they have there."""

    def __init__(self, table: Table, lines: Iterable[bytes], now_s: float) -> None:
        self._table = table
        self._row_of = _rows_in(lines, table.rows)
        taken = set(self._row_of.values())
        used = max(table.cells[layout.ROWS_USED], max(taken, default=-1) + 1)
        # What an earlier sync had freed, in the order in which they were freed last; the key is known no more.
        self._resting: dict[int, tuple[float, Key | None]] = {
            row: (now_s, None) for row in range(used) if row not in taken
        }
        table.cells[layout.ROWS_USED] = used

    def assign(self, keys: Collection[Key], now_s: float) -> Mapping[Key, int]:
        """Return the row of each of `keys`, which are all objects that have one from now on. Raises NoRoom."""
        if len(keys) > self._table.rows:
            raise NoRoom(f"{len(keys)} objects are too many: there is room for {self._table.rows}")
        rows = {key: self._row_of[key] for key in keys if key in self._row_of}
        fresh = [key for key in keys if key not in rows]
        for key, row in self._row_of.items():
            if key not in rows:
                self._resting[row] = (now_s, key)
        back = {key: row for row, (_, key) in self._resting.items() if key is not None}
        for key in fresh:
            row = back.get(key, -1)
            if row in self._resting:  # deleted and made again: its own row
                del self._resting[row]
            else:
                row = self._take(now_s)
            rows[key] = row
        self._row_of = rows
        return rows

    def _take(self, now_s: float) -> int:
        """Return a row for a new object: one that has rested, else one never used, else the longest at rest."""
        oldest = next(iter(self._resting), None)
        used = self._table.cells[layout.ROWS_USED]
        if oldest is None or (now_s - self._resting[oldest][0] < REST_S and used < self._table.rows):
            self._table.cells[layout.ROWS_USED] = used + 1
            return used
        del self._resting[oldest]
        self._begin_at_zero(oldest)
        return oldest

    def _begin_at_zero(self, row: int) -> None:
        """Note what a row has counted as its zero line, then show that it has another owner."""
        table, cells = self._table, self._table.cells
        zero = table.zero_base(row)
        # Summed apart and stored once each: a reader never sees a zero line that is half a sum.
        sums = [0] * layout.ROW_ZERO_CELLS
        for slot in range(cells[layout.SLOTS_USED]):
            start = table.row_base(slot, row)
            counted = cells[start : start + layout.ROW_CELLS].tolist()
            if not any(counted):
                continue
            start = table.histogram_base(slot, row)
            counted += cells[start : start + layout.HISTOGRAM_CELLS].tolist()
            sums = [total + count for total, count in zip(sums, counted, strict=True)]
        for gauge in layout.ROW_GAUGES:
            sums[gauge] = 0
        for cell, total in enumerate(sums):
            if cells[zero + cell] != total:
                cells[zero + cell] = total
        cells[table.generation_cell(row)] += 1


def _rows_in(lines: Iterable[bytes], limit: int) -> dict[Key, int]:
    """Return the rows that the lines of a snapshot give to objects."""
    found: dict[Key, int] = {}
    for line in lines:
        kind, document, *rest = json.loads(line)
        if kind in COUNTED and rest and 0 <= rest[0] < limit:
            found[kind, document["name"]] = rest[0]
    return found
