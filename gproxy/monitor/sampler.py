"""Looks at the shared memory once a second and keeps what the pages of the control endpoint tell from."""

from collections.abc import Callable, Sequence
from typing import Final

from gproxy.core.histogram import BUCKETS
from gproxy.monitor.history import Busiest, Second, Series, as_second, changes
from gproxy.monitor.objects import Named, Objects
from gproxy.monitor.rows import RowReader
from gproxy.shared import layout
from gproxy.shared.table import Table

#: Servers and APIs with a history of their own: 10 MB of them.
MOST_SERIES: Final = 128
#: Rows that are added up before other greenlets get their turn: half a millisecond.
_AT_ONCE: Final = 50

_SLOT_PLACES: Final = {
    "requests": layout.OUTCOMES,
    "errors": (layout.STATUS_5XX,),
    "failures": (layout.TIMEOUTS,),
    "rejected": (layout.REFUSED_CONNECTIONS,),
    "bytes_in": (layout.BYTES_IN,),
    "bytes_out": (layout.BYTES_OUT,),
}
_ROW_PLACES: Final = {
    "requests": layout.ROW_OUTCOMES,
    "errors": (layout.ROW_STATUS_5XX,),
    "failures": (layout.ROW_FAILURES,),
    "rejected": (layout.ROW_REJECTED,),
    "bytes_in": (layout.ROW_BYTES_IN,),
    "bytes_out": (layout.ROW_BYTES_OUT,),
}
_NO_CELLS: Final = [0] * layout.ROW_CELLS
_NO_TIMES: Final = [0] * BUCKETS


class Sampler:
    """What is known of a table's figures; `breathe` is called between parts of a long look."""

    def __init__(self, table: Table, breathe: Callable[[], None], most_series: int = MOST_SERIES) -> None:
        self.reader = RowReader(table)
        self.node = Series()
        self.workers: dict[int, Series] = {}
        self.objects: Objects = {}
        self._table = table
        self._breathe = breathe
        self._busiest = Busiest(most_series)
        self._owners: dict[int, Named] = {}
        self._rows: dict[int, list[int]] = {}
        self._row_times: dict[int, list[int]] = {}
        self._slots: dict[int, tuple[list[int], list[int]]] = {}
        self._has_begun = False

    def follow(self, objects: Objects) -> None:
        """Tell of these objects from now on, and forget those that are gone."""
        for row, named in objects.items():
            owner = self._owners.get(row, named)
            if (owner.thing, owner.name) != (named.thing, named.name):
                # The new owner begins at its zero line.
                self._rows.pop(row, None)
                self._row_times.pop(row, None)
                self._busiest.forget(row)
        self.objects = objects
        self._owners |= objects
        self._busiest.keep(objects)

    def cells(self, row: int) -> list[int]:
        """Return the cells of a row as of the last look, summed over all workers."""
        return self._rows.get(row, _NO_CELLS)

    def series(self, row: int) -> Series | None:
        """Return the history of an object, None when it is not among the busiest."""
        return self._busiest.series.get(row)

    def look(self) -> None:
        """Take a second's figures; to be called once a second."""
        self._look_at_slots()
        self._look_at_rows()
        self._has_begun = True

    def _look_at_slots(self) -> None:
        table, seconds = self._table, []
        times: dict[int, int] = {}
        for slot in range(table.cells[layout.SLOTS_USED]):
            base, histogram = table.base(slot), table.slot_histogram_base(slot)
            cells = table.cells[base : base + layout.SLOT_CELLS].tolist()
            counts = table.cells[histogram : histogram + BUCKETS].tolist()
            before, counts_before = self._slots.get(slot, (None, None))
            if before is None and self._has_begun:  # nobody had this slot yet
                before, counts_before = [0] * layout.SLOT_CELLS, _NO_TIMES
            self._slots[slot] = cells, counts
            second = as_second(cells, before, _SLOT_PLACES, cells[layout.ACTIVE])
            grown = changes(counts_before or counts, counts)
            seconds.append(second)
            for index, count in grown.items():
                times[index] = times.get(index, 0) + count
            if cells[layout.STATE] != layout.STATE_FREE:
                self.workers.setdefault(slot, Series()).add(second, grown)
            else:
                self.workers.pop(slot, None)
        self.node.add(Second(*(sum(column) for column in zip(*seconds, strict=True))), times)

    def _look_at_rows(self) -> None:
        seconds: dict[int, Second] = {}
        first = None if not self._has_begun else _NO_CELLS
        for number, row in enumerate(self.reader.changed(), 1):
            cells = self.reader.cells(row)
            seconds[row] = as_second(cells, self._rows.get(row, first), _ROW_PLACES, cells[layout.ROW_ACTIVE])
            self._rows[row] = cells
            if number % _AT_ONCE == 0:
                self._breathe()
        for row, series in list(self._busiest.series.items()):
            if row in seconds:
                now = self.reader.histogram(row)
                series.add(seconds[row], changes(self._row_times.get(row, now), now))
                self._row_times[row] = now
            else:
                series.add(Second(active=self.cells(row)[layout.ROW_ACTIVE]), {})
        self._busiest.add({row: second for row, second in seconds.items() if row in self.objects})
        self._remember_times()

    def _remember_times(self) -> None:
        """Keep the histograms that the next seconds of the busiest objects are counted from."""
        tracked = self._busiest.series
        for row in tracked.keys() - self._row_times.keys():
            self._row_times[row] = self.reader.histogram(row)
        for row in self._row_times.keys() - tracked.keys():
            del self._row_times[row]


def requests(cells: Sequence[int]) -> int:
    """Return how many requests of a row are over."""
    return sum(cells[cell] for cell in layout.ROW_OUTCOMES)
