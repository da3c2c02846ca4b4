"""What the numbers of events mean, in the words that users read."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from gproxy.core import breaker, health, health_check
from gproxy.core.events import (
    Event,
    FilterCause,
    FilterState,
    FleetCause,
    Kind,
    PanicCause,
    PanicState,
    ProcessCause,
    ProcessState,
    ReloadCause,
    SnapshotCause,
    StoreCause,
    StoreState,
)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one kind of event; `figures` name what is not "" of the three."""

    states: type[IntEnum] | None
    causes: type[IntEnum]
    figures: tuple[str, str, str]


_WORDS: Final = {
    Kind.CIRCUIT: Words(breaker.State, breaker.Cause, ("", "", "")),  # the figures depend on the cause
    Kind.HEALTH: Words(health.State, health_check.Fault, ("results_in_a_row", "status", "took_ms")),
    Kind.WORKER: Words(ProcessState, ProcessCause, ("pid", "code", "")),
    Kind.RELOAD: Words(None, ReloadCause, ("workers", "", "")),
    Kind.SNAPSHOT: Words(None, SnapshotCause, ("revision", "objects", "")),
    Kind.FILTER: Words(FilterState, FilterCause, ("worker", "", "")),
    Kind.PANIC: Words(PanicState, PanicCause, ("ejected", "servers", "")),
    Kind.STORE: Words(StoreState, StoreCause, ("lasted_ms", "", "")),
    Kind.FLEET: Words(None, FleetCause, ("say_so", "nodes", "")),
}
#: What is counted under another name when this is the cause.
_FIGURES_OF: Final[dict[tuple[Kind, int], tuple[str, str, str]]] = {
    **{(Kind.CIRCUIT, cause): names for cause, names in breaker.FIGURES.items()},
    (Kind.FLEET, FleetCause.NODES): ("before", "nodes", ""),
    **{(Kind.FLEET, cause): ("", "", "") for cause in (FleetCause.DRAINED, FleetCause.UNDRAINED)},
    (Kind.RELOAD, ReloadCause.REFUSED): ("problems", "", ""),
    (Kind.SNAPSHOT, SnapshotCause.REJECTED): ("revision", "problems", ""),
}


def described(event: Event, name: str) -> dict[str, Any]:
    """Return the event in words; `name` is that of its object. Numbers without a word stay numbers."""
    words = _WORDS[event.kind]
    figures = _FIGURES_OF.get((event.kind, event.cause), words.figures)
    return {
        "kind": event.kind.name.lower(),
        "object": event.thing.name.lower(),
        "name": name,
        "from": _word(words.states, event.before),
        "to": _word(words.states, event.after),
        "cause": _word(words.causes, event.cause),
        "figures": {figure: value for figure, value in zip(figures, event.figures, strict=True) if figure},
    }


def sentence(described: dict[str, Any]) -> str:
    """Return a described event as one short line."""
    change = f" {described['from']} -> {described['to']}" if described["to"] else ""
    about = " ".join(f"{name}={value}" for name, value in described["figures"].items())
    subject = " ".join(part for part in (described["object"], described["name"]) if part)
    return f"{described['kind']} {subject}{change}: {described['cause'] or 'as expected'} {about}".strip()


def _word(words: type[IntEnum] | None, number: int) -> str:
    members: Sequence[IntEnum] = list(words) if words is not None else ()
    found = next((member.name.lower() for member in members if member == number), "")
    return found or (str(number) if number else "")
