"""The other workers of the node that accept connections: nobody takes many more than they have."""

from __future__ import annotations

from gproxy.shared import layout
from gproxy.shared.table import Table, now_ms

#: a worker whose heartbeat is older is left out
_SILENT_MS = 1000


class Peers:
    """Who accepts connections, as last looked at, which costs a microsecond: every tick, or a few would take all."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cells = table.cells
        self._bases: list[int] = []
        self._connections: list[int] = []

    def look(self) -> None:
        """Note which workers accept connections at the moment, and are not hung."""
        cells, used = self._cells, self._cells[layout.SLOTS_USED]
        if len(self._bases) != used:
            self._bases = [self._table.base(slot) for slot in range(used)]
        since = now_ms() - _SILENT_MS
        self._connections = [
            base + layout.CONNECTIONS
            for base in self._bases
            if cells[base + layout.STATE] == layout.STATE_ACCEPTING and cells[base + layout.HEARTBEAT] >= since
        ]

    def have_fewer(self, own: int) -> bool:
        """Say whether so many connections are clearly more than the average.

        The slack is what makes it cheap: without it, workers that take turns wait for each other all the time
        (new connections per second fall by half).
        """
        cells, peers = self._cells, self._connections
        if not peers:
            return False
        total = 0
        for cell in peers:
            total += cells[cell]
        fair = total / len(peers)
        return own > fair + max(2, fair / 8)
