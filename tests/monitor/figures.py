"""A table with figures in it, as workers would have written them."""

from collections.abc import Mapping

from gproxy.core.histogram import bucket
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.snapshot_file import render


def lines(
    servers: Mapping[str, int],
    apis: Mapping[str, int],
    breaker: object = None,
    routings: Mapping[str, int] | None = None,
) -> list[bytes]:
    """Return the lines of a snapshot with these names and rows."""
    return [
        *(render("server", {"name": name, "circuit_breaker": None}, row) for name, row in servers.items()),
        render("cluster", {"name": "c", "servers": [*servers]}, None),
        *(render("routing", {"name": name, "cluster": "c"}, row) for name, row in (routings or {}).items()),
        *(render("api", {"name": name, "circuit_breaker": breaker}, row) for name, row in apis.items()),
    ]


def put(table: Table, row: int, count: int, ms: float = 10, slot: int = 0, cell: int = layout.ROW_STATUS_2XX) -> None:
    """Let a worker count so many requests of that duration and outcome."""
    cells = table.cells
    if slot >= cells[layout.SLOTS_USED]:
        table.claim(slot)
    cells[layout.ROWS_USED] = max(cells[layout.ROWS_USED], row + 1)
    cells[table.row_base(slot, row) + cell] += count
    cells[table.row_base(slot, row) + layout.ROW_BYTES_OUT] += 100 * count
    cells[table.histogram_base(slot, row) + bucket(int(ms * 1000))] += count
    cells[table.base(slot) + cell - layout.ROW_STATUS_1XX + layout.STATUS_1XX] += count
    cells[table.slot_histogram_base(slot) + bucket(int(ms * 1000))] += count
