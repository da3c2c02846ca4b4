"""The events of all nodes in one order, numbered by this admin."""

import threading
from bisect import insort
from typing import Any, Final

from gadmin.fleet.reading import Document

#: Events that are kept, of all nodes together.
MOST: Final = 5000


class FleetEvents:
    """Collects what pollers hear; ids are those of this admin and mean nothing to another one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self._number = 0
        #: By node, the events that it had told when it last counted anew.
        self._known: dict[str, set[tuple[int, int]]] = {}

    def hear(self, node: str, heard: Document) -> None:
        """Take the answer of a node to /events; after a restart of its monitor it may repeat itself."""
        with self._lock:
            known = self._known.setdefault(node, set())
            for event in heard["events"]:
                mark = (event["time_ms"], hash((event["kind"], event["object"], event["name"], event["to"])))
                if mark in known:
                    continue
                known.add(mark)
                self._number += 1
                entry = {**event, "id": self._number, "node": node}
                insort(self._events, entry, key=lambda one: one["time_ms"])
            if len(self._events) > MOST:
                gone, self._events = self._events[:-MOST], self._events[-MOST:]
                oldest = gone[-1]["time_ms"]
                for marks in self._known.values():
                    marks -= {mark for mark in marks if mark[0] < oldest}

    def since(self, number: int) -> dict[str, Any]:
        """Return the events that came in after `number`, the oldest first; `last` is what to ask with next time."""
        with self._lock:
            is_unknown = number > self._number
            found = [event for event in self._events if is_unknown or event["id"] > number]
            return {"events": found, "last": self._number, "restarted": is_unknown}
