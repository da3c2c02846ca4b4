"""The circuit breaker as a table of moves and the few sums that cause them; who counts is not its business.

    closed ──(failures)──> open ──(open time over)──> half_open ──(enough successes)──> closed
                             ^─────────────────(one failure)───────────────┘

*Epoch* counts the moves of a circuit: a result belongs to the epoch in which its request was let through, and one
of an earlier epoch says nothing about the circuit as it is now. *Level* is how often the open time is doubled: it
grows with every trip and is forgotten again, step by step, while the circuit stays closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from gproxy.core import statuses

_US_PER_S: Final = 1_000_000


class State(IntEnum):
    """Where a circuit stands. In this order the more careful state is the greater number."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Cause(IntEnum):
    """Why a circuit moves; the names are what users read."""

    CONSECUTIVE_FAILURES = 1
    FAILURE_PERCENT = 2
    SLOW_PERCENT = 3
    OPEN_TIME_OVER = 4
    PROBES_SUCCEEDED = 5
    PROBE_FAILED = 6
    PROBE_SLOW = 7


MOVES: Final[dict[tuple[State, Cause], State]] = {
    (State.CLOSED, Cause.CONSECUTIVE_FAILURES): State.OPEN,
    (State.CLOSED, Cause.FAILURE_PERCENT): State.OPEN,
    (State.CLOSED, Cause.SLOW_PERCENT): State.OPEN,
    (State.OPEN, Cause.OPEN_TIME_OVER): State.HALF_OPEN,
    (State.HALF_OPEN, Cause.PROBES_SUCCEEDED): State.CLOSED,
    (State.HALF_OPEN, Cause.PROBE_FAILED): State.OPEN,
    (State.HALF_OPEN, Cause.PROBE_SLOW): State.OPEN,
}


#: What the three figures of a move say, by its cause.
FIGURES: Final[dict[Cause, tuple[str, str, str]]] = {
    Cause.CONSECUTIVE_FAILURES: ("failures_in_a_row", "failures", "requests"),
    Cause.FAILURE_PERCENT: ("failures", "requests", "failures_in_a_row"),
    Cause.SLOW_PERCENT: ("slow", "requests", "failures_in_a_row"),
    Cause.OPEN_TIME_OVER: ("open_ms", "", ""),
    Cause.PROBES_SUCCEEDED: ("successes", "admitted", "arrivals"),
    Cause.PROBE_FAILED: ("took_ms", "admitted", "arrivals"),
    Cause.PROBE_SLOW: ("took_ms", "admitted", "arrivals"),
}


class IllegalMove(Exception):
    """A circuit was told to do what its state does not allow."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a closed circuit: failures since the last success, and the sums over the window."""

    in_a_row: int
    requests: int = 0
    failures: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a circuit moves, compiled from a `circuit_breaker`. Times are in microseconds; 0 turns a rule off."""

    consecutive_failures: int
    failure_percent: float
    min_requests: int
    window_us: int
    slow_us: int
    slow_percent: float
    open_us: int
    max_open_us: int
    half_open_percent: float
    half_open_successes: int
    failure_statuses: frozenset[int]
    max_ejected_percent: float
    #: whether other nodes may have the server given a rest here
    is_shared: bool
    #: whether any rule looks at the window
    has_window: bool
    #: the level from which doubling changes nothing any more
    top_level: int

    @classmethod
    def compiled(cls, document: Mapping[str, Any] | None) -> Breaker | None:
        """Return what a normalised `circuit_breaker` means, None when there is none."""
        if document is None:
            return None
        open_us = round(document["open_s"] * _US_PER_S)
        max_open_us = max(open_us, round(document["max_open_s"] * _US_PER_S))
        return cls(
            consecutive_failures=document["consecutive_failures"],
            failure_percent=document["failure_percent"],
            min_requests=document["min_requests"],
            window_us=round(document["window_s"] * _US_PER_S),
            slow_us=round(document["slow_s"] * _US_PER_S),
            slow_percent=document["slow_percent"],
            open_us=open_us,
            max_open_us=max_open_us,
            half_open_percent=document["half_open_percent"],
            half_open_successes=document["half_open_successes"],
            failure_statuses=statuses.parse(document["failure_statuses"]),
            max_ejected_percent=document["max_ejected_percent"],
            is_shared=document["share"] == "cluster",
            has_window=bool(document["failure_percent"] or document["slow_percent"]),
            top_level=(-(-max_open_us // open_us) - 1).bit_length(),
        )

    def pause_us(self, level: int) -> int:
        """Return how long a circuit of this level stays open."""
        return min(self.open_us << level, self.max_open_us)

    def trip(self, figures: Figures) -> Cause | None:
        """Return why a closed circuit has to open, None when it may stay closed."""
        if self.consecutive_failures and figures.in_a_row >= self.consecutive_failures:
            return Cause.CONSECUTIVE_FAILURES
        if not self.has_window or not figures.requests or figures.requests < self.min_requests:
            return None
        if self.failure_percent and figures.failures * 100 >= self.failure_percent * figures.requests:
            return Cause.FAILURE_PERCENT
        if self.slow_percent and figures.slow * 100 >= self.slow_percent * figures.requests:
            return Cause.SLOW_PERCENT
        return None

    def admits(self, arrivals: int, admitted: int) -> bool:
        """Say whether a half-open circuit lets one more through, the last of `arrivals`, `admitted` before it.

        So at any moment `half_open_percent` of the arrivals were let through, rounded up: the first one always.
        """
        return admitted * 100 < arrivals * self.half_open_percent

    def ejects_too_many(self, ejected: int, members: int) -> bool:
        """Say whether more of a cluster's `members` have left service than its clients could bear."""
        return ejected * 100 > self.max_ejected_percent * members


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit between two moves; `since_us` is when it came into this state (monotonic microseconds).

    `level` is that of the present open time, of a closed circuit that of the next one if it came at once.
    """

    epoch: int = 0
    state: State = State.CLOSED
    level: int = 0
    since_us: int = 0

    def after(self, cause: Cause, breaker: Breaker, now_us: int) -> Circuit:
        """Return the circuit after a move; raises IllegalMove when `cause` does not move this state."""
        state = MOVES.get((self.state, cause))
        if state is None:
            raise IllegalMove(f"{cause.name} does not move a circuit that is {self.state.name}")
        level = self.level
        if self.state is State.CLOSED:
            level = self._rested_level(breaker, now_us)
        elif self.state is State.HALF_OPEN:
            level = min(level + 1, breaker.top_level)
        return Circuit(self.epoch + 1, state, level, now_us)

    def half_opens_us(self, breaker: Breaker) -> int:
        """Return when an open circuit lets the first probe through (monotonic microseconds)."""
        return self.since_us + breaker.pause_us(self.level)

    def _rested_level(self, breaker: Breaker, now_us: int) -> int:
        """A doubling is forgotten when the circuit stayed closed for as long as it would have opened."""
        level, healthy_us = min(self.level, breaker.top_level), now_us - self.since_us
        while level and healthy_us >= breaker.pause_us(level):
            healthy_us -= breaker.pause_us(level)
            level -= 1
        return level
