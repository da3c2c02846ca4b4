"""How busy the servers are, and how fast: what all workers of the node have in flight, and this one's averages.

An average lives in cells that outlive the worker, so its successor goes on with it; a worker that has none yet takes
the mean of the others'.
"""

from __future__ import annotations

from time import monotonic_ns

from gproxy.core.backends import Server
from gproxy.core.ewma import faded, observed
from gproxy.shared import layout
from gproxy.shared.table import Table


class Loads:
    """The loads as the worker in `slot` sees them."""

    def __init__(self, table: Table, slot: int) -> None:
        self._table = table
        self._cells = table.cells
        self._rows = table.row_base(slot, 0)

    def active(self, server: Server) -> int:
        """Return how many requests the node has in flight at a server."""
        return self._table.row_total(server.row, layout.ROW_ACTIVE)

    def time_us(self, server: Server) -> float:
        """Return the server's usual time until it answers, in microseconds; 0 when it is not known."""
        base, now_ms = self._rows + server.row * layout.ROW_CELLS, _now_ms()
        own = self._cells[base + layout.ROW_EWMA_US]
        if own:
            return faded(own, (now_ms - self._cells[base + layout.ROW_EWMA_MS]) / 1000)
        averages = self._table.row_values(server.row, layout.ROW_EWMA_US)
        times = self._table.row_values(server.row, layout.ROW_EWMA_MS)
        known = [faded(us, (now_ms - ms) / 1000) for us, ms in zip(averages, times, strict=True) if us]
        return sum(known) / len(known) if known else 0.0

    def observe(self, server: Server, time_us: int) -> None:
        """Take in how long a server took this time."""
        cells, base, now_ms = self._cells, self._rows + server.row * layout.ROW_CELLS, _now_ms()
        age_s = (now_ms - cells[base + layout.ROW_EWMA_MS]) / 1000
        cells[base + layout.ROW_EWMA_US] = observed(cells[base + layout.ROW_EWMA_US], age_s, time_us)
        cells[base + layout.ROW_EWMA_MS] = now_ms


def _now_ms() -> int:
    return monotonic_ns() // 1_000_000
