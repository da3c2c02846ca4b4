"""The health of servers in shared memory: written by the monitor, read by the workers and by its successor.

A verdict is about an *identity*, a server at an address, and is valid for a time: one about the row's former owner or
a former address, or that nobody has renewed for long, counts for nothing. Every change raises one generation cell, so
that a reader looks at the verdicts only when there is something new.
"""

from dataclasses import dataclass

from gproxy.shared import layout
from gproxy.shared.table import Table


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a server.

    `state` is one of layout.HEALTH_*, `changed_ms` when it was entered (wall clock, ms since 1970), `flips` how often
    results have turned so far, `valid_until_ms` the end of its validity (monotonic ms).
    """

    identity: int
    state: int
    changed_ms: int
    flips: int
    valid_until_ms: int


#: What is known when nothing is.
NOTHING = Verdict(0, layout.HEALTH_UNKNOWN, 0, 0, 0)


class HealthCells:
    """The verdicts of one table, by row. Only the monitor calls `write`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cells = table.cells

    @property
    def generation(self) -> int:
        """Return the number of changes so far."""
        return int(self._cells[layout.HEALTH_GENERATION])

    def read(self, row: int) -> Verdict:
        """Return what is known of the server of a row."""
        base = self._table.health_base(row)
        row_cells = self._cells[base : base + layout.HEALTH_CELLS].tolist()
        return Verdict(
            row_cells[layout.HEALTH_IDENTITY],
            row_cells[layout.HEALTH_STATE],
            row_cells[layout.HEALTH_CHANGED_MS],
            row_cells[layout.HEALTH_FLAPS],
            row_cells[layout.HEALTH_VALID_UNTIL_MS],
        )

    def write(self, row: int, verdict: Verdict) -> None:
        """Replace what is known of the server of a row."""
        cells, base = self._cells, self._table.health_base(row)
        is_other = cells[base + layout.HEALTH_IDENTITY] != verdict.identity
        is_news = is_other or cells[base + layout.HEALTH_STATE] != verdict.state
        if is_other:
            cells[base + layout.HEALTH_STATE] = (
                layout.HEALTH_UNKNOWN
            )  # no reader takes one server's state for another's
        cells[base + layout.HEALTH_IDENTITY] = verdict.identity
        cells[base + layout.HEALTH_CHANGED_MS] = verdict.changed_ms
        cells[base + layout.HEALTH_FLAPS] = verdict.flips
        cells[base + layout.HEALTH_VALID_UNTIL_MS] = verdict.valid_until_ms
        cells[base + layout.HEALTH_STATE] = verdict.state
        if is_news:
            cells[layout.HEALTH_GENERATION] += 1  # last: readers look at this one

    def known_rows(self) -> list[int]:
        """Return the rows that something is known of."""
        return [row for row, identity in enumerate(self._column(layout.HEALTH_IDENTITY)) if identity]

    def down_rows(self) -> list[int]:
        """Return the rows whose verdict says down, valid or not."""
        return [row for row, state in enumerate(self._column(layout.HEALTH_STATE)) if state == layout.HEALTH_DOWN]

    def _column(self, cell: int) -> list[int]:
        rows = int(self._cells[layout.ROWS_USED])
        first = self._table.health_base(0) + cell
        return self._cells[first : first + rows * layout.HEALTH_CELLS : layout.HEALTH_CELLS].tolist()
