"""Waiting for a place, first come first served over all workers of the node.

Nothing wakes a worker when another one gives a place back, so the first of each worker's line looks every few
milliseconds, and at once when it was this worker. Only the line whose first has waited longest may take a place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from gproxy.core.end_state import QUEUE
from gproxy.core.errors import Full
from gproxy.shared.places import Places
from gproxy.worker.link import ClientGone, hub
from gproxy.worker.pause import Pause
from gproxy.worker.phases import phases_of

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange

T = TypeVar("T")

#: how often the first one looks
_LOOK_S = 0.002
#: how often it lets another worker go first that does not come: it may hang
_MOST_COURTESY = 25


class _YourTurn(Exception):
    """Ends the pause of the one who is first now, or may be lucky now."""


class Waiting:
    """One request in the line; `since_us` is when it came (monotonic)."""

    __slots__ = ("courtesy", "pause", "since_us")

    def __init__(self) -> None:
        self.pause = Pause()
        self.since_us = int(monotonic() * 1e6)
        self.courtesy = _MOST_COURTESY


class Lines:
    """The lines of one worker, by the row of the server or API. `turn` is the row whose first one tries right now."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._lines: dict[int, deque[Waiting]] = {}
        self.turn = -1

    def wait(self, exchange: Exchange, full: Full, again: Callable[[], T]) -> T:
        """Wait until `again` no longer raises Full, and return what it returns.

        Raises Full when nobody may wait, or too many do, or there is no place in time; ClientGone; what `again` raises.
        """
        room, row = full.room, full.row
        if self._places.queued(row) >= room.queue:
            raise full
        deadline = min(monotonic() + room.timeout_s, exchange.deadline)
        me, phases = Waiting(), phases_of(exchange)
        phases.begin(QUEUE)
        line = self._lines.setdefault(row, deque())
        line.append(me)
        self._note(row, line)
        try:
            while True:
                self._sleep(exchange, me, deadline, line[0] is me)
                if line[0] is me and self._is_due(row, me):
                    try:
                        found = self._try(row, again)
                    except Full as still:
                        full = still
                    else:
                        phases.end()
                        return found
                if monotonic() >= deadline:
                    raise full
        finally:
            line.remove(me)
            self._note(row, line)
            self.look(row)

    def look(self, row: int) -> None:
        """A place may be free, or another one is first now: let the first one look."""
        line = self._lines.get(row)
        if line:
            hub.loop.run_callback(line[0].pause.interrupt, _YourTurn())

    def _try(self, row: int, again: Callable[[], T]) -> T:
        self.turn = row
        try:
            return again()
        finally:
            self.turn = -1

    def _is_due(self, row: int, waiting: Waiting) -> bool:
        """Say whether nobody of another worker should go first, or the one who should does not come."""
        if self._places.is_first(row, waiting.since_us) or not waiting.courtesy:
            waiting.courtesy = _MOST_COURTESY
            return True
        waiting.courtesy -= 1
        return False

    def _sleep(self, exchange: Exchange, waiting: Waiting, deadline: float, is_first: bool) -> None:
        client = exchange.client
        if client.gone:
            raise ClientGone("closed by the client")
        left_s = deadline - monotonic()
        client.waits_for = waiting.pause
        try:
            waiting.pause.sleep(min(left_s, _LOOK_S) if is_first else left_s)
        except _YourTurn:
            pass
        finally:
            client.waits_for = None

    def _note(self, row: int, line: deque[Waiting]) -> None:
        self._places.note_queue(row, len(line), line[0].since_us if line else 0)
        if not line:
            del self._lines[row]
