"""A moving average of a server's time that jumps up at once and comes down slowly: "peak EWMA", as in Finagle.

One slow answer makes a server look slow immediately; that it has become fast again must be shown by several. The
weight of the past depends on the time that went by, not on the number of answers, and without any answers the average
comes down as well: so a server that nobody dares to ask is asked again.
"""

from math import exp
from typing import Final

#: After so many seconds the past counts for 1/e.
DECAY_S: Final = 10.0
#: What a failed attempt counts for, in microseconds, if it did not take longer: a refusal is not a fast answer.
FAILURE_US: Final = 1_000_000


def observed(average_us: int, age_s: float, sample_us: int) -> int:
    """Return the average after one more time; `age_s` is how old `average_us` (0: none yet) is by now."""
    if sample_us >= average_us:
        return sample_us
    past = exp(-max(age_s, 0.0) / DECAY_S)
    return max(1, round(average_us * past + sample_us * (1 - past)))


def faded(average_us: int, age_s: float) -> float:
    """Return what an average of that age is worth now."""
    return average_us * exp(-max(age_s, 0.0) / DECAY_S)
