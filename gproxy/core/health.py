"""Whether a server is well, as the results of its health checks add up: rise, fall, back-off and flapping.

A server starts `unknown`, which is usable. One success makes it up; `fall` failures in a row make it down, `rise`
successes in a row up again. While it is down and keeps failing, the wait between checks doubles up to a minute; the
first success brings the usual interval back. Apart from these states, every result that differs from the one before
is a *flip*: a server that comes and goes faster than `fall` can follow stays up, but is seen to flap.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

#: A server that is down is asked at least this often, unless its own interval is longer.
LONGEST_BACKOFF_S: Final = 60.0
#: Waits differ by up to this share to either side, so that checks do not march in step.
JITTER: Final = 0.2
#: Over this time flips are counted, and so many of them are flapping.
FLIPS_WITHIN_S: Final = 60.0
FLAPPING: Final = 5
#: A verdict outlives three checks that did not come, and this time; then it is not trusted any more.
VALID_BEYOND_S: Final = 60.0
#: Flips that are remembered: enough to tell, whatever the interval.
_MOST_FLIPS: Final = 100
_MOST_DOUBLINGS: Final = 16


class State(IntEnum):
    """What is known of a server; the numbers are those of the shared cells."""

    UNKNOWN = 0
    UP = 1
    DOWN = 2


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a server is asked, and how many results in a row (each at least 1) change its state."""

    interval_s: float
    timeout_s: float
    rise: int
    fall: int


@dataclass(frozen=True, slots=True)
class Health:
    """The sum of a server's results. All times are in seconds of one monotonic clock.

    `in_a_row` counts equal results: successes above zero, failures below. `since_s` is when the state was entered;
    `flips` are the times of the latest results that differed from the one before.
    """

    state: State
    since_s: float
    in_a_row: int = 0
    flips: tuple[float, ...] = ()

    def after(self, is_well: bool, now_s: float, pace: Pace) -> Health:
        """Return the health after one more result."""
        flips = self.flips
        if self.turns(is_well):
            flips = (*(then for then in flips if now_s - then < FLIPS_WITHIN_S), now_s)[-_MOST_FLIPS:]
        in_a_row = max(self.in_a_row, 0) + 1 if is_well else min(self.in_a_row, 0) - 1
        state = self._next_state(in_a_row, pace)
        since_s = self.since_s if state is self.state else now_s
        return Health(state, since_s, in_a_row, flips)

    def turns(self, is_well: bool) -> bool:
        """Tell whether such a result would differ from the one before."""
        return self.in_a_row != 0 and is_well != (self.in_a_row > 0)

    def _next_state(self, in_a_row: int, pace: Pace) -> State:
        if in_a_row >= (pace.rise if self.state is State.DOWN else 1):
            return State.UP
        if -in_a_row >= pace.fall:
            return State.DOWN
        return self.state

    def delay_s(self, pace: Pace, chance: float) -> float:
        """Return how long to wait for the next check; `chance`, from 0 to 1, decides where within the jitter."""
        delay_s = pace.interval_s
        if self.state is State.DOWN and self.in_a_row < 0:
            doublings = min(max(-self.in_a_row - pace.fall, 0), _MOST_DOUBLINGS)
            delay_s = max(delay_s, min(delay_s * 2**doublings, LONGEST_BACKOFF_S))
        return delay_s * (1 + JITTER * (2 * chance - 1))

    def flips_until(self, now_s: float) -> int:
        """Return how often the results turned within the last minute."""
        return sum(now_s - then < FLIPS_WITHIN_S for then in self.flips)

    def is_flapping(self, now_s: float) -> bool:
        """Tell whether the server comes and goes, whatever its state."""
        return self.flips_until(now_s) >= FLAPPING

    def restored(self, pace: Pace) -> Health:
        """Return the health to go on with after a restart, when only state and time are known."""
        in_a_row = {State.UNKNOWN: 0, State.UP: 1, State.DOWN: -pace.fall}[self.state]
        return replace(self, in_a_row=in_a_row)


def identity(name: str, address: str, scheme: str) -> int:
    """Return a number, never 0, for one server at one place: what is known of its health belongs to this."""
    digest = hashlib.blake2b(f"{name} {scheme} {address}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) or 1


def first_delay_s(index: int, count: int) -> float:
    """Return when the first check of server `index` of `count` begins: they spread evenly over one second."""
    return index / count


def valid_s(delay_s: float, pace: Pace) -> float:
    """Return how long a verdict may be trusted when the next check is `delay_s` away.

    Every check renews it. When nobody checks any more, a server is not left down for ever because of old news.
    """
    return 3 * (delay_s + pace.timeout_s) + VALID_BEYOND_S
