"""What other nodes mean for this one, in cells that sync writes and workers read."""

from __future__ import annotations

from gproxy.shared import layout
from gproxy.shared.table import Table


class FleetCells:
    """The cells of one table. Times are monotonic microseconds."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cells = table.cells
        self._first = table.fleet_base(0)

    @property
    def changes(self) -> int:
        """How often an agreement about a server has begun or ended."""
        count: int = self._cells[layout.FLEET_CHANGES]
        return count

    def part(self, row: int) -> int:
        """Return the node's part of a shared limit, of layout.FLEET_WHOLE; 0: it is not divided."""
        cell: int = self._cells[self._first + row * layout.FLEET_CELLS + layout.FLEET_PART]
        return cell

    def is_open(self, row: int, now_us: int) -> bool:
        """Tell whether enough nodes say that a server's circuit is open."""
        until: int = self._cells[self._first + row * layout.FLEET_CELLS + layout.FLEET_OPEN_UNTIL_US]
        return until > now_us

    def open_until_us(self, row: int) -> int:
        """Return until when that is so, 0 when it is not."""
        cell: int = self._cells[self._first + row * layout.FLEET_CELLS + layout.FLEET_OPEN_UNTIL_US]
        return cell

    def divide(self, row: int, part: float) -> None:
        """Note the node's part of a shared limit (0 to 1; 0: it is not divided)."""
        self._write(row, layout.FLEET_PART, round(part * layout.FLEET_WHOLE))

    def open(self, row: int, until_us: int) -> None:
        """Note until when a server is given a rest; 0: it is not."""
        if self._write(row, layout.FLEET_OPEN_UNTIL_US, until_us):
            self._cells[layout.FLEET_CHANGES] += 1

    def _write(self, row: int, cell: int, value: int) -> bool:
        place = self._table.fleet_base(row) + cell
        is_news = self._cells[place] != value
        if is_news:  # writing would touch a page that nobody uses
            self._cells[place] = value
        return bool(is_news)
