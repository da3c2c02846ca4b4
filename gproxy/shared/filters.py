"""What users' own filters cost and how often they fail, counted by each worker in its slot.

A filter's place is its number in the INI. Its cells carry a tag, so that after a reload with other filters the
counts of one are never told as those of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from gproxy.shared import layout
from gproxy.shared.table import Table


@dataclass(frozen=True, slots=True)
class FilterCounts:
    """The counts of one filter over all workers; `time_us` includes what its hooks waited for."""

    calls: int
    time_us: int
    errors: int
    workers_without: int


class FilterMeter:
    """Counts for one filter in one slot; what another filter has left in its place is wiped first."""

    __slots__ = ("_base", "_cells")

    def __init__(self, table: Table, slot: int, place: int, name: str) -> None:
        self._cells, self._base = table.cells, table.filter_base(slot, place)
        if self._cells[self._base + layout.FILTER_TAG] != _tag(name):
            for cell in range(layout.FILTER_CELLS):
                self._cells[self._base + cell] = 0
            self._cells[self._base + layout.FILTER_TAG] = _tag(name)
        self.rests(False)

    def called(self, time_us: int) -> None:
        """Count a call of a hook."""
        self._cells[self._base + layout.FILTER_CALLS] += 1
        self._cells[self._base + layout.FILTER_TIME_US] += time_us

    def failed(self) -> None:
        """Count an error."""
        self._cells[self._base + layout.FILTER_ERRORS] += 1

    def rests(self, is_out: bool) -> None:
        """Note whether errors have put the filter out of service in this worker."""
        self._cells[self._base + layout.FILTER_RESTS] = is_out


def read(table: Table, place: int, name: str) -> FilterCounts:
    """Return the counts of a filter, summed over the slots in use."""
    totals = [0] * layout.FILTER_CELLS
    for slot in range(table.cells[layout.SLOTS_USED]):
        base = table.filter_base(slot, place)
        cells = table.cells[base : base + layout.FILTER_CELLS].tolist()
        if cells[layout.FILTER_TAG] != _tag(name):
            continue
        if not table.cells[table.base(slot) + layout.STATE]:
            cells[layout.FILTER_RESTS] = 0  # nobody is there to be without it
        totals = [total + value for total, value in zip(totals, cells, strict=True)]
    return FilterCounts(
        totals[layout.FILTER_CALLS],
        totals[layout.FILTER_TIME_US],
        totals[layout.FILTER_ERRORS],
        totals[layout.FILTER_RESTS],
    )


def _tag(name: str) -> int:
    """Return a number for the name of a filter, never 0."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") | 1
