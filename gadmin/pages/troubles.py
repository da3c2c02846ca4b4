"""What is wrong with a server or an API at this moment: on which node, since when, why, and who has noticed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gadmin.fleet.reading import Reading

#: States of a circuit in which requests are held back.
_NOT_CLOSED: Final = ("open", "half_open")

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong on one node; `since_s` is seconds since 1970, None where no event says so."""

    node: str
    state: str
    since_s: float | None
    reason: str
    noticed_by: str


def unhealthy(health: Iterable[Mapping[str, Any]], now_s: float) -> list[Trouble]:
    """Return the nodes whose health checks find a server down; `health` is what each of them says of it."""
    return [
        Trouble(one["node"], "down", now_s - one["since_s"], one["reason"], "health check")
        for one in health
        if one["state"] == "down"
    ]


def held_back(readings: Iterable[Reading], kind: str, name: str, events: Sequence[Event]) -> list[Trouble]:
    """Return the nodes on which the circuit of an object is not closed; `events` are the object's, the oldest first."""
    found = []
    for reading in readings:
        if reading.told is None or not reading.is_live:
            continue
        states = [item.get("circuit") for item in reading.told[f"{kind}s"] if item["name"] == name]
        if states and states[0] in _NOT_CLOSED:
            begun = _opened(event for event in events if event["node"] == reading.id and event["kind"] == "circuit")
            since_s, cause = (begun["time_ms"] / 1000, begun["cause"]) if begun is not None else (None, "")
            found.append(Trouble(reading.id, f"circuit {states[0]}", since_s, cause, "circuit breaker"))
    return found


def _opened(events: Iterable[Event]) -> Event | None:
    """Return the event with which a circuit has left `closed` for the last time."""
    begun = None
    for event in events:
        if event["to"] == "closed":
            begun = None
        elif begun is None:
            begun = event
    return begun
