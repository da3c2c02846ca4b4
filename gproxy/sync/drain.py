"""Follows whether somebody wants this node to drain: to take no more traffic, for as long as it is wished.

The workers go on serving, so nobody is lost who still comes: they let connections end, and /readyz says so to whoever
balances nodes. What was last known holds while the store is away.
"""

import logging
from typing import Final

from gproxy.core.events import Event, FleetCause, Kind
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from gproxy.store.nodes import Registry

log = logging.getLogger(__name__)

#: How often to look.
LOOK_S: Final = 0.5


class DrainWatch:
    """Keeps the DRAINED cell as the store wants it for the node `own`."""

    def __init__(self, table: Table, own: str) -> None:
        self._cells = table.cells
        self._ring = RingWriter(table, table.slots + layout.RING_SYNC)
        self._own = own
        self._looked_s = float("-inf")

    def look(self, registry: Registry, now_s: float) -> None:
        """Look what is wished, if it is time to. Raises StoreError."""
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        wish = registry.drains().get(self._own)
        if bool(self._cells[layout.DRAINED]) is (wish is not None):
            return
        self._cells[layout.DRAINED] = int(wish is not None)
        self._ring.tell(Event(Kind.FLEET, FleetCause.UNDRAINED if wish is None else FleetCause.DRAINED))
        if wish is None:
            log.info("the node takes traffic again")
        else:
            log.info("the node drains", extra={"author": wish.author})
