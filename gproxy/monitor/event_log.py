"""The events of the node in the order in which they were noticed, with the names that their objects had then."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from gproxy.core.event_names import described
from gproxy.core.events import Event, Thing
from gproxy.monitor.objects import Objects
from gproxy.shared.rings import RingReader, Told
from gproxy.shared.table import Table

#: Events that are kept: some hundred bytes each.
MOST: Final = 2000
#: What several processes may have told is recognised within so many events.
_REMEMBERED: Final = 500


class EventLog:
    """Collects from all rings; `objects` tells the names of rows, `filters` are those of the user's own."""

    def __init__(self, table: Table, objects: Callable[[], Objects], filters: Sequence[str] = ()) -> None:
        self._table = table
        self._reader = RingReader(table)
        self._objects = objects
        self._filters = filters
        self._entries: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._known: deque[tuple[int, ...]] = deque(maxlen=_REMEMBERED)
        self._number = 0

    def collect(self) -> None:
        """Take over what is new in the rings."""
        for told in self._reader.news():
            event = told.event
            if event.epoch:
                mark = (event.kind, event.thing, event.row, event.generation, event.epoch)
                if mark in self._known:
                    continue
                self._known.append(mark)
            self._number += 1
            self._entries.append(self._entry(told))

    def since(self, number: int) -> dict[str, Any]:
        """Return the events after `number` (0: all that are kept); `last` is what to ask with next time.

        `restarted` says that `number` is of an earlier monitor, which counted differently.
        """
        is_unknown = number > self._number
        events = [entry for entry in self._entries if is_unknown or entry["id"] > number]
        return {"events": events, "last": self._number, "restarted": is_unknown}

    def _entry(self, told: Told) -> dict[str, Any]:
        return {"id": self._number, "time_ms": told.time_ms, **described(told.event, self._name(told.event))}

    def _name(self, event: Event) -> str:
        if event.thing in (Thing.SERVER, Thing.CLUSTER, Thing.API, Thing.ROUTING):
            named = self._objects().get(event.row)
            is_same = event.generation == self._table.cells[self._table.generation_cell(event.row)]
            return named.name if named is not None and is_same and named.thing is event.thing else f"row {event.row}"
        if event.thing is Thing.FILTER:
            return self._filters[event.row] if event.row < len(self._filters) else f"filter {event.row}"
        return f"worker-{event.row}" if event.thing is Thing.WORKER else ""
