"""What the rate limit tests share: writers that keep a limit together, and the same limit kept by one, said naively."""

from __future__ import annotations

from dataclasses import dataclass, field

from gproxy.core.limiter import Limit, merged

#: a moment that is far from the beginning of the clock, in nanoseconds
START = 10**18


@dataclass
class Writers:
    """Several writers, each with its share, as the cells of workers would hold them."""

    limit: Limit
    count: int
    shares: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shares = [[0, 0, 0] for _ in range(self.count)]

    def take(self, writer: int, now: int) -> int:
        """Let one request through or not; returns 0, or the time to wait."""
        ends, epochs, refusals = zip(*self.shares, strict=True)
        wait, epoch = self.limit.decide(now, *merged(ends, epochs), max(refusals))
        share = self.shares[writer]
        if wait:
            share[2] = now
        else:
            share[:2] = max(share[0], epoch) + self.limit.unit_ns, epoch
        return wait


@dataclass
class One:
    """The same limit as the three rules that users are told, with one due time and one last refusal."""

    limit: Limit
    due: int = 0
    refused: int = 0

    def take(self, now: int) -> int:
        """Let one request through or not; returns 0, or the time to wait."""
        limit, quiet = self.limit, now - self.refused
        is_pressed = quiet < 2 * limit.slack_ns
        allowance = 0 if is_pressed else min(quiet, limit.ahead_ns)
        owed = self.due - now
        if owed > 0 and owed > allowance:
            self.refused = now
            return owed
        self.due = max(self.due, now - limit.slack_ns if is_pressed else now) + limit.unit_ns
        return 0
