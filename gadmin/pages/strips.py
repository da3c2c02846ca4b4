"""How the state of an object has changed, as strips over time: for its circuit and its health on each node. Pure.

closed ████████████ open ▓▓▓▓ half_open ▒▒ closed █████████
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Kinds of events that change a state.
KINDS: Final = ("circuit", "health")
#: The shortest and the longest time that is shown.
LEAST_MS: Final = 10 * 60_000
MOST_MS: Final = 24 * 3_600_000
#: The width of a strip, in its own units.
WIDE: Final = 1000

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Segment:
    """A time in one state: where it begins, how wide it is (of WIDE), and the event with which it began, if known."""

    state: str
    left: float
    width: float
    event: Event | None


@dataclass(frozen=True, slots=True)
class Strip:
    """What became of one state on one node, from the left to now; `seconds` is how long that is."""

    node: str
    kind: str
    segments: tuple[Segment, ...]
    seconds: float


def strips(events: Sequence[Event], now_ms: float) -> list[Strip]:
    """Return the strips of the events of one object (the oldest first), by node and kind."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if event["kind"] in KINDS and event["time_ms"] > now_ms - MOST_MS:
            found.setdefault((event["node"], event["kind"]), []).append(event)
    if not found:
        return []
    oldest_ms = min(each[0]["time_ms"] for each in found.values())
    long_ms = min(MOST_MS, max(LEAST_MS, (now_ms - oldest_ms) * 1.05))
    return [
        Strip(node, kind, _segments(each, now_ms - long_ms, long_ms), long_ms / 1000)
        for (node, kind), each in sorted(found.items())
    ]


def _segments(events: Sequence[Event], begin_ms: float, long_ms: float) -> tuple[Segment, ...]:
    """Return the segments between the events; the first one is the state before the first event."""
    ends = [*(event["time_ms"] - begin_ms for event in events), long_ms]
    states = [(events[0]["from"], None), *((event["to"], event) for event in events)]
    found, left = [], 0.0
    for (state, event), end_ms in zip(states, ends, strict=True):
        right = min(WIDE, max(left, end_ms / long_ms * WIDE))
        found.append(Segment(state, round(left, 2), round(right - left, 2), event))
        left = right
    return tuple(found)
