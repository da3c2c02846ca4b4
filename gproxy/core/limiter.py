"""A rate limit whose state is the merge of what several writers have noted, each for itself.

It is the generic cell rate algorithm (GCRA, ITU-T I.371): every request moves the moment at which all that was let
through would be paid at the rate, the *theoretical arrival time*. How far that lies ahead of now is what is owed:

    owed <= allowance: let the request through, and one unit more is owed

The allowance is `burst - 1` units: that many may come ahead of their time. But a burst is taken out of the rate, not
given on top of it: a bucket that refills while it is being emptied lets twice its rate through in the first second.
So a refusal withdraws the allowance: while the demand is greater than the rate, what was let through early is paid
back, and then requests are let through one unit apart. In quiet times (no refusal) the allowance grows back as fast
as time passes. Under a load of twice the rate or more, `rate` holds to one request from the first moment on; who takes
no more than the burst, and then waits as long as the rate asks for it, is never refused. And whatever comes, no more
passes than a burst and what the rate gives.

A *share* is what one writer notes: (end, epoch, refused), nanoseconds of one clock, none of which ever falls.
`epoch` is when the limit was idle last and a new count began; `end - epoch` is what this writer has let through since
then, in time; `refused` is when it last refused. So the merge is the greatest epoch, the sum of all that lies behind
it, and the latest refusal. A share that is read too old can only owe too little.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final, Self

_NS: Final = 1_000_000_000
#: Requests come when they come, and machines falter: so much of the time that overload leaves unused is made up for,
#: and twice as long a refusal is remembered as overload. It is one unit or the first of these, but up to the second
#: where that is no more than half a burst.
_SLACK_NS: Final = 20_000_000
_MOST_SLACK_NS: Final = 250_000_000
#: How long it has been quiet when nothing was ever refused: the clock itself may be younger than a burst.
_ALWAYS: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Limit:
    """`rate` requests per time span, one per `unit_ns`; `ahead_ns` is the allowance after a quiet time.

    `tag` tells limits apart (64 bits, not 0): what is owed under one says nothing about another. A limit that
    `is_shared` is one that several nodes keep, each a `part` of it.
    """

    rate: int
    unit_ns: int
    ahead_ns: int
    slack_ns: int
    tag: int
    is_shared: bool = False

    @classmethod
    def of(cls, rate: int, per_s: float = 1.0, burst: int = 0, is_shared: bool = False) -> Self:
        """Return the limit of `rate` requests in `per_s` seconds, of which `burst` (0: all) may come at once."""
        unit_ns = max(1, round(per_s * _NS / rate))
        ahead_ns = ((burst or rate) - 1) * unit_ns
        tag = hash((unit_ns, ahead_ns)) % (1 << 64) or 1  # of numbers: the same in every process
        return cls(rate, unit_ns, ahead_ns, _slack_ns(unit_ns, ahead_ns), tag, is_shared)

    def part(self, share: float) -> Self:
        """Return this limit for a node that has a share of it (0 to 1); what is owed stays owed when that changes."""
        unit_ns = round(self.unit_ns / share)
        burst = 1 + self.ahead_ns / self.unit_ns
        ahead_ns = max(0, round((burst * share - 1) * unit_ns))
        return replace(self, unit_ns=unit_ns, ahead_ns=ahead_ns, slack_ns=_slack_ns(unit_ns, ahead_ns))

    def decide(self, now: int, epoch: int, due: int, refused: int) -> tuple[int, int]:
        """Decide on a request that comes `now`; `due` is the theoretical arrival time, the rest as in a share.

        Returns (0, the epoch to count in) when it is let through, (nanoseconds until it would be, 0) when not.
        """
        owed = due - now
        quiet = now - refused if refused else _ALWAYS
        is_pressed = quiet < 2 * self.slack_ns
        if owed > 0:
            may_owe = not is_pressed and owed <= quiet and owed <= self.ahead_ns
            return (0, epoch) if may_owe else (owed, 0)
        idle_since = now - self.slack_ns if is_pressed else now
        return 0, epoch if due >= idle_since else idle_since


def _slack_ns(unit_ns: int, ahead_ns: int) -> int:
    return max(unit_ns, _SLACK_NS, min(ahead_ns // 2, _MOST_SLACK_NS))


@dataclass(frozen=True, slots=True)
class Room:
    """At most `most` requests at a time; `queue` more may wait for up to `timeout_s` (0: none)."""

    most: int
    queue: int
    timeout_s: float

    @classmethod
    def compiled(cls, most: int, queue: Mapping[str, Any] | None) -> Self | None:
        """Return what a maximum and a normalised `queue` mean, None when there is no maximum (0)."""
        if not most:
            return None
        return cls(most, 0, 0.0) if queue is None else cls(most, queue["size"], queue["timeout_s"])


def merged(ends: Sequence[int], epochs: Iterable[int]) -> tuple[int, int]:
    """Return the epoch of all shares together, and their theoretical arrival time."""
    epoch = due = max(epochs)
    for end in ends:  # a quarter of the time that a sum over a generator or a list takes
        if end > epoch:
            due += end - epoch
    return epoch, due


def seconds(wait_ns: int) -> int:
    """Return a time to wait as Retry-After has it: whole seconds, at least one."""
    return max(1, ceil(wait_ns / _NS))
