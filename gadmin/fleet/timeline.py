"""The last ten minutes of a node, or of one object on it, on the clock of this admin.

A node numbers its seconds; the clocks of nodes and admins differ, so a number is tied to a second of ours when it is
first seen, and again only when the two have drifted apart. Pure: `second` is an argument.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gproxy.core.histogram import BUCKETS, PERCENTS, add_sparse, percentiles

SECONDS: Final = 600
#: What is counted; `active` is a level, and adds up over nodes all the same.
COLUMNS: Final = ("requests", "errors", "failures", "rejected", "bytes_in", "bytes_out", "active")
#: How far numbers and seconds may drift apart before they are tied anew.
_DRIFT: Final = 2
#: Buckets of one row of a heat map: half an octave.
_HEAT_STEPS: Final = 8

Row = tuple[Sequence[float], Sequence[int]]  # the columns, and the histogram as `sparse`


class Timeline:
    """Rows by our seconds; at most SECONDS of them."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self._number = 0
        self._offset: int | None = None

    def add(self, history: Mapping[str, Any], second: int) -> None:
        """Add what a node tells as history (with its `number` and `times`) at `second`; what is known stays."""
        number = int(history["number"])
        offset = second - number
        if number < self._number or self._offset is None or abs(offset - self._offset) > _DRIFT:
            self._offset, self._number = offset, 0
        columns = [history[name] for name in COLUMNS]
        times = history["times"]
        count = min(len(times), *(len(column) for column in columns))
        for place in range(max(0, count - (number - self._number)), count):
            at = number - count + 1 + place + self._offset
            self.rows[at] = tuple(column[place - count] for column in columns), times[place - count]
        self._number = number
        for old in [at for at in self.rows if at <= second - SECONDS]:
            del self.rows[old]

    @property
    def missing(self) -> int:
        """How many seconds to ask for when nothing is known yet."""
        return SECONDS if not self.rows else 0


def merged(timelines: Sequence[Timeline], last: int, seconds: int) -> dict[str, Any]:
    """Return the columns of the seconds up to `last`, added over the timelines; None where nobody tells anything.

    `p50_ms`, `p95_ms` and `p99_ms` come from the histograms of all; `heat` has per second row, count, row, count, ...
    """
    columns: dict[str, list[float | None]] = {name: [] for name in COLUMNS}
    percents: dict[str, list[float | None]] = {f"p{percent}_ms": [] for percent in PERCENTS}
    heat: list[list[int]] = []
    for second in range(last - seconds + 1, last + 1):
        rows = [timeline.rows[second] for timeline in timelines if second in timeline.rows]
        for place, name in enumerate(COLUMNS):
            columns[name].append(sum(row[0][place] for row in rows) if rows else None)
        counts = [0] * BUCKETS
        for _, times in rows:
            add_sparse(counts, times)
        for name, us in zip(percents, percentiles(counts, PERCENTS), strict=True):
            percents[name].append(None if us is None else round(us / 1000, 3))
        heat.append(_heat(rows))
    return {"end": last, "seconds": seconds, **columns, **percents, "heat": heat}


def _heat(rows: Sequence[Row]) -> list[int]:
    found: dict[int, int] = {}
    for _, times in rows:
        for place in range(0, len(times) - 1, 2):
            row = (times[place] + _HEAT_STEPS - 1) // _HEAT_STEPS
            found[row] = found.get(row, 0) + times[place + 1]
    return [number for pair in sorted(found.items()) for number in pair]
