"""The last ten minutes, second by second: what the monitor remembers of the node, its workers and busy objects.

A `Series` takes 75 KB, so not every one of ten thousand objects can have one. The node and the workers always do;
servers and APIs do while they are among the busiest, and lose it to a busier one when there are too many. What has no
series still has its totals and its percentiles since the start: those are in the shared memory.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gproxy.core.histogram import BUCKETS, MIDDLES_US, PERCENTS, percentiles_ms, sparse

SECONDS: Final = 600
#: The windows over which percentiles are told, by their public names.
WINDOWS: Final = {"10s": 10, "1m": 60, "10m": 600}


class Second(NamedTuple):
    """What happened in one second; `active` is how many requests were in flight at its end."""

    requests: int = 0
    errors: int = 0  # answers 5xx
    failures: int = 0
    rejected: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    active: int = 0


_QUIET: Final = Second()
#: What the last second counts in the weight of an object.
_SHARE: Final = 0.02


class Series:
    """The last SECONDS seconds of one object, and its histogram over each window."""

    def __init__(self) -> None:
        self._columns = [array("d") for _ in (*Second._fields, *PERCENTS)]
        self._changes: deque[array[int]] = deque(maxlen=SECONDS)
        self._windows = {name: [0] * BUCKETS for name in WINDOWS}
        self.length = 0
        #: How many seconds have been added ever: the number of the latest one.
        self.number = 0

    def add(self, second: Second, times: Mapping[int, int]) -> None:
        """Add the second that has just passed; `times` are the counts of its histogram's buckets."""
        for column, value in zip(self._columns, (*second, *_short_percentiles(times)), strict=True):
            if len(column) == SECONDS:
                del column[0]
            column.append(value)
        for name, seconds in WINDOWS.items():
            window = self._windows[name]
            if self.length >= seconds:
                _apply(window, self._changes[-seconds], -1)
            for index, count in times.items():
                window[index] += count
        self._changes.append(array("Q", [number for pair in times.items() for number in pair]))
        self.length = min(self.length + 1, SECONDS)
        self.number += 1

    def percentiles_ms(self) -> dict[str, dict[str, float | None]]:
        """Return p50, p95 and p99 in milliseconds by window."""
        return {name: percentiles_ms(window) for name, window in self._windows.items()}

    def rates(self) -> dict[str, dict[str, float]]:
        """Return the mean per second of each figure that counts something, by window."""
        counted = [place for place, name in enumerate(Second._fields) if name != "active"]
        found = {}
        for name, seconds in WINDOWS.items():
            length = min(seconds, self.length) or 1
            found[name] = {
                Second._fields[place]: round(sum(self._columns[place][-seconds:]) / length, 3) for place in counted
            }
        return found

    def history(self, seconds: int = SECONDS) -> dict[str, list[float | None]]:
        """Return the columns of the last seconds, the latest last; times in milliseconds, None without requests."""
        names = (*Second._fields, *(f"p{percent}_ms" for percent in PERCENTS))
        first = max(0, self.length - seconds)
        shown: dict[str, list[float | None]] = {}
        for name, column in zip(names, self._columns, strict=True):
            is_time = name.endswith("_ms")
            shown[name] = [(value / 1000 if value else None) if is_time else int(value) for value in column[first:]]
        return shown

    def times(self, seconds: int = SECONDS) -> list[list[int]]:
        """Return the histograms of the last seconds, each as `sparse`."""
        return [list(pairs) for pairs in list(self._changes)[max(0, self.length - seconds) :]]

    def buckets(self) -> dict[str, list[int]]:
        """Return the histogram of each window as `sparse`."""
        return {name: sparse(window) for name, window in self._windows.items()}


class Busiest:
    """Which objects have a series: at most `most`, and a newcomer only for one that has done far less lately.

    The weight of an object is the moving average of its requests per second, over some 50 s.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.series: dict[int, Series] = {}
        self._weight: dict[int, float] = {}

    def add(self, seconds: Mapping[int, Second]) -> None:
        """Make room for the rows that were busy in the last second; their series begin with the next one."""
        for row, weight in self._weight.items():
            self._weight[row] = weight + _SHARE * (seconds.get(row, _QUIET).requests - weight)
        fresh = [(second.requests, row) for row, second in seconds.items() if row not in self._weight]
        for requests, row in sorted(fresh, reverse=True):
            if not requests or not self._has_room(requests):
                break
            self.series[row], self._weight[row] = Series(), requests

    def keep(self, rows: Iterable[int]) -> None:
        """Forget the rows that are not among these."""
        for row in self.series.keys() - set(rows):
            self.forget(row)

    def forget(self, row: int) -> None:
        """Forget a row, if it is known."""
        if row in self.series:
            del self.series[row], self._weight[row]

    def _has_room(self, requests: int) -> bool:
        if len(self.series) < self._most:
            return True
        idlest = min(self._weight, key=self._weight.__getitem__)
        if 2 * self._weight[idlest] >= requests:  # not for a little more: equals would take turns
            return False
        self.forget(idlest)
        return True


def changes(before: Sequence[int], now: Sequence[int]) -> dict[int, int]:
    """Return by how much the counts of a histogram have grown, where they have."""
    if before == now:
        return {}
    return {index: new - old for index, (old, new) in enumerate(zip(before, now, strict=True)) if new > old}


def _short_percentiles(times: Mapping[int, int]) -> Sequence[float]:
    """Return the percentiles (us, 0 without any) of the few buckets of one second."""
    if not times:
        return [0.0] * len(PERCENTS)
    ordered = sorted(times.items())
    total = sum(times.values())
    found, seen, place = [], ordered[0][1], 0
    for percent in PERCENTS:
        rank = max(1, -(-percent * total // 100))
        while seen < rank:
            place += 1
            seen += ordered[place][1]
        found.append(MIDDLES_US[ordered[place][0]])
    return found


def _apply(counts: list[int], packed: Sequence[int], sign: int) -> None:
    for place in range(0, len(packed), 2):
        counts[packed[place]] += sign * packed[place + 1]


def as_second(cells: Sequence[int], before: Sequence[int] | None, places: Mapping[str, Any], active: int) -> Second:
    """Return what happened between two readings of cells (none before: nothing did).

    `places` has, by the name of each figure, the cells that are added up for it.
    """
    if before is None:
        return Second(active=active)
    grown = {name: sum(cells[cell] - before[cell] for cell in cells_of) for name, cells_of in places.items()}
    return Second(**{name: max(0, value) for name, value in grown.items()}, active=active)
