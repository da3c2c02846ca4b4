"""What the node is told when the health of a server changes: a line in the log and an event."""

import logging

from gproxy.core.events import Event, Kind, Thing
from gproxy.core.health import State
from gproxy.monitor.health import Subject
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table

log = logging.getLogger(__name__)


class Announcer:
    """Tells of servers whose state has changed."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._ring = RingWriter(table, table.slots + layout.RING_MONITOR)

    def tell(self, subject: Subject, before: State) -> None:
        """Tell that a server has left the state `before`; to the log it is no news that one is well from the start."""
        self._ring.tell(self._event(subject, before))
        about = {"server": subject.target.name, "address": str(subject.target.endpoint)}
        if subject.health.state is State.DOWN:
            log.warning("a server is down", extra={**about, "reason": subject.fault})
        elif before is State.DOWN:
            log.info("a server is up again", extra=about)

    def _event(self, subject: Subject, before: State) -> Event:
        """Return the event; its figures are equal results in a row, the status and the duration (ms) of the last."""
        last, row = subject.last, subject.target.row
        figures = (abs(subject.health.in_a_row), last.status if last else 0, round(last.ended_ms) if last else 0)
        return Event(
            Kind.HEALTH,
            cause=last.kind or 0 if last else 0,
            thing=Thing.SERVER,
            row=row,
            before=before,
            after=subject.health.state,
            figures=figures,
            generation=self._table.cells[self._table.generation_cell(row)],
        )
