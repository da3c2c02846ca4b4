"""What nodes that follow the same store decide from each other's words: parts of limits, and agreed open circuits.

Every node computes this for itself, from the records that all of them read, so nobody is in charge and nothing is
handed out. A node that falls silent goes on to count for a while: it may only have lost touch with the store, and goes
on serving with the part that it had.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

#: This part of a limit that all nodes share is divided equally, whatever the demand: who gets a first request, or a
#: sudden wave, has something until the next division.
EQUAL_PART: Final = 0.1
#: How long a node that said no goodbye counts on: longer than a store usually takes to come back.
SILENT_S: Final = 60.0


class Record(Protocol):
    """What a node says of itself; `written_ms` tells one saying from the next."""

    @property
    def id(self) -> str:
        """The node."""

    @property
    def written_ms(self) -> int:
        """When it said so, by its own clock."""

    @property
    def has_left(self) -> bool:
        """Whether this is its goodbye."""


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Member(Generic[R]):
    """A node that counts: its last words, when they were first heard, and when it was listed last (monotonic)."""

    record: R
    heard_s: float
    listed_s: float


def members(known: Mapping[str, Member[R]], records: Iterable[R], now_s: float) -> dict[str, Member[R]]:
    """Return who counts after these records were read.

    Called only while the store can be read: while it cannot, silence means nothing.
    """
    found = {name: member for name, member in known.items() if now_s - member.listed_s < SILENT_S}
    for record in records:
        if record.has_left:
            found.pop(record.id, None)
            continue
        before = found.get(record.id)
        is_news = before is None or before.record.written_ms != record.written_ms
        heard_s = now_s if before is None or is_news else before.heard_s
        found[record.id] = Member(record, heard_s, now_s)
    return found


def part(own: str, demands: Mapping[str, float], rate: float | None) -> float:
    """Return which part of a limit the node `own` may use, more than 0 and at most 1.

    `demands` are requests per second by node. While all together ask for less than `rate`, each has what it asks for
    and an equal share of the rest; beyond that each has its share of the demand, except for EQUAL_PART. `rate` None:
    nothing is known about how demand and limit compare (a limit per key).
    """
    total = sum(demands.values())
    if total <= 0:
        return 1 / len(demands)
    free = EQUAL_PART if rate is None else max(EQUAL_PART, 1 - total / rate)
    return min(1.0, free / len(demands) + (1 - free) * (demands[own] / total))


def agreed_until(until: Sequence[float], quorum: int) -> float:
    """Return until when at least `quorum` nodes say so, given until when each does; 0 when they are too few."""
    return sorted(until, reverse=True)[quorum - 1] if len(until) >= quorum else 0.0


def smoothed(before: float, seen: float, elapsed_s: float, over_s: float) -> float:
    """Return a moving average of a rate after `elapsed_s` in which `seen` was the rate."""
    weight = min(1.0, elapsed_s / over_s)
    return before + (seen - before) * weight
