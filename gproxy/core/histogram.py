"""Latency histograms with a bounded relative error: log-linear buckets, as in HdrHistogram.

Times are whole microseconds. Each octave from 2^6 us to 2^26 us (67 s) is cut into 16 equal buckets, so the middle
of a bucket is at most 1/32 (3.2 %) away from anything in it. One bucket below takes everything shorter, one above
everything longer.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul
from typing import Final

FIRST_BITS: Final = 6
LAST_BITS: Final = 26
#: Buckets per octave.
STEPS: Final = 16
#: The percentiles that are told.
PERCENTS: Final = (50, 95, 99)
#: Number of buckets; their indexes are 0 <= index < BUCKETS.
BUCKETS: Final = (LAST_BITS - FIRST_BITS) * STEPS + 2
SHORTEST_US: Final = 1 << FIRST_BITS
LONGEST_US: Final = 1 << LAST_BITS


def bucket(us: int) -> int:
    """Return the index of the bucket that counts a time of `us` microseconds."""
    if us < SHORTEST_US:
        return 0
    if us >= LONGEST_US:
        return BUCKETS - 1
    octave = us.bit_length() - 7
    return (octave << 4) + (us >> octave + 2) - 15


def bounds(index: int) -> tuple[int, int]:
    """Return what a bucket counts, `low <= us < high`; the last one is open and says `low, low`."""
    if not 0 <= index < BUCKETS:
        raise IndexError(f"bucket {index} of {BUCKETS}")
    if index == 0:
        return 0, SHORTEST_US
    if index == BUCKETS - 1:
        return LONGEST_US, LONGEST_US
    octave, step = divmod(index - 1, STEPS)
    width = 1 << octave + 2
    low = (STEPS + step) * width
    return low, low + width


#: `bucket(4 * n) == NEAR[n]` for n < NEAR_END, at a quarter of the cost. No bucket is narrower than 4 us.
NEAR_END: Final = 1 << 14
NEAR: Final = array("H", (bucket(4 * n) for n in range(NEAR_END)))


def bucket_of(seconds: float) -> int:
    """Return the index of the bucket that counts a time in seconds, for all but the slow ones from a table."""
    quarter = int(seconds * 250_000)
    return NEAR[quarter] if quarter < NEAR_END else bucket(4 * quarter)


#: What a time in each bucket is taken for.
MIDDLES_US: Final = tuple(sum(bounds(index)) / 2 for index in range(BUCKETS))


def total_us(counts: Sequence[int]) -> float:
    """Return the sum of the counted times in microseconds, each taken for the middle of its bucket."""
    return float(sum(map(mul, counts, MIDDLES_US)))


def percentile(counts: Sequence[int], percent: float) -> float | None:
    """Return the time in microseconds that `percent` of the counted ones do not exceed, None when there are none.

    `counts` has a count per bucket. It is the smallest time whose rank reaches the share (nearest rank), exact to
    the width of its bucket.
    """
    return percentiles(counts, (percent,))[0]


def percentiles(counts: Sequence[int], percents: Iterable[float]) -> list[float | None]:
    """Return several percentiles (each as `percentile`) of ascending `percents` in one pass."""
    total = sum(counts)
    if not total:
        return [None for _ in percents]
    found: list[float | None] = []
    index, seen = 0, counts[0]
    for percent in percents:
        rank = max(1, -(-percent * total // 100))
        while seen < rank:
            index += 1
            seen += counts[index]
        found.append(MIDDLES_US[index])
    return found


def percentiles_ms(counts: Sequence[int]) -> dict[str, float | None]:
    """Return p50, p95 and p99 of a histogram in milliseconds, None when it is empty."""
    found = percentiles(counts, PERCENTS)
    return {
        f"p{percent}": None if us is None else round(us / 1000, 3) for percent, us in zip(PERCENTS, found, strict=True)
    }


def sparse(counts: Sequence[int]) -> list[int]:
    """Return a histogram as index, count, index, count, ... of the buckets that are not empty."""
    return [number for index, count in enumerate(counts) if count for number in (index, count)]


def add_sparse(counts: list[int], pairs: Sequence[int]) -> None:
    """Add a histogram that was told as `sparse` to one; what is no bucket of ours is left out."""
    for place in range(0, len(pairs) - 1, 2):
        if 0 <= pairs[place] < BUCKETS:
            counts[pairs[place]] += pairs[place + 1]


class Limits:
    """Counts how many times lie below each of some limits (microseconds), again and again for many histograms.

    Exact for limits that are bounds of buckets; the count of a bucket that a limit cuts is divided in proportion, so
    the limit is exact to the width of a bucket. What is counted grows with the limits, and with the counts.
    """

    def __init__(self, limits_us: Iterable[int]) -> None:
        self._cuts = []
        for limit in limits_us:
            index = bucket(limit)
            low, high = bounds(index)
            self._cuts.append((index, limit - low, high - low or 1))

    def below(self, counts: Sequence[int]) -> list[int]:
        """Return the number of times below each limit, and last that of all."""
        below = [0, *accumulate(counts)]
        return [*(below[index] + counts[index] * part // width for index, part, width in self._cuts), below[-1]]
