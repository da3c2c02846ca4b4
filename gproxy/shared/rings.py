"""Event rings: the last events of each process in the shared memory, where they survive it.

Every slot and every role without one has a ring with one writer, so nobody waits for anybody; a reader merges them by
time. A record carries its number in the ring, zero while it is written: a reader takes what has the same right number
before and after it was copied, and a writer that dies in between leaves a record that nobody takes and the next
writer of the ring overwrites.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from gproxy.core.events import Event
from gproxy.shared import layout
from gproxy.shared.table import Table

# Cells of a record: its number (counted from 1), its time, then the five of Event.pack.
_NUMBER, _TIME, _EVENT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it was read: when (ms since 1970), in which ring, and its number there."""

    time_ms: int
    ring: int
    number: int
    event: Event


class RingWriter:
    """Writes the ring of one process: `ring` is its slot, or `table.slots + layout.RING_MASTER` and so on."""

    def __init__(self, table: Table, ring: int) -> None:
        self._cells = table.cells
        self._head = table.ring_base(ring)

    def tell(self, event: Event) -> None:
        """Add an event, in place of the oldest when the ring is full."""
        cells = self._cells
        number = cells[self._head] + 1
        record = _record(self._head, number)
        packed = event.pack()
        cells[record + _NUMBER] = 0
        cells[record + _TIME] = time.time_ns() // 1_000_000
        for place, value in enumerate(packed, record + _EVENT):
            cells[place] = value
        cells[record + _NUMBER] = number
        cells[self._head] = number


class RingReader:
    """Reads all rings; each event is returned once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._seen = [0] * (table.slots + layout.ROLE_RINGS)

    def news(self) -> list[Told]:
        """Return the events told since the last call (at first: all that are there), the oldest first."""
        slots = self._table.cells[layout.SLOTS_USED]
        rings = (*range(slots), *range(self._table.slots, self._table.slots + layout.ROLE_RINGS))
        found = [told for ring in rings for told in self._read(ring)]
        return sorted(found, key=lambda told: (told.time_ms, told.ring, told.number))

    def _read(self, ring: int) -> Iterator[Told]:
        cells, head = self._table.cells, self._table.ring_base(ring)
        last = cells[head]
        for number in range(max(self._seen[ring], last - layout.RING_RECORDS) + 1, last + 1):
            record = _record(head, number)
            copy = tuple(cells[record : record + layout.RECORD_CELLS].tolist())
            # The number is copied first and looked at again last: whoever wrote in between has changed it.
            if copy[_NUMBER] == number == cells[record + _NUMBER]:
                yield Told(copy[_TIME], ring, number, Event.unpack(copy[_EVENT : _EVENT + 5]))
        self._seen[ring] = last


def _record(head: int, number: int) -> int:
    return head + layout.LINE_CELLS + (number - 1) % layout.RING_RECORDS * layout.RECORD_CELLS
