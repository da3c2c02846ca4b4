from typing import Any

import pytest

from gproxy.core import breaker, health, health_check
from gproxy.core.event_names import described, sentence
from gproxy.core.events import Event, Kind, ProcessCause, ProcessState, SnapshotCause, StoreCause, StoreState, Thing

EVENTS: list[tuple[Event, str, str]] = [
    (
        Event(Kind.WORKER, ProcessCause.KILLED, Thing.WORKER, 2, ProcessState.RUNNING, ProcessState.ENDED, (77, 9, 0)),
        "worker-2",
        "worker worker worker-2 running -> ended: killed pid=77 code=9",
    ),
    (
        Event(Kind.SNAPSHOT, SnapshotCause.REJECTED, figures=(4, 2, 0)),
        "",
        "snapshot node: rejected revision=4 problems=2",
    ),
    (
        Event(Kind.STORE, StoreCause.BACK, before=StoreState.LOST, after=StoreState.FOLLOWED, figures=(500, 0, 0)),
        "",
        "store node lost -> followed: back lasted_ms=500",
    ),
    (
        Event(Kind.HEALTH, 0, Thing.SERVER, 0, health.State.DOWN, health.State.UP, (2, 200, 3)),
        "u1",
        "health server u1 down -> up: as expected results_in_a_row=2 status=200 took_ms=3",
    ),
    (
        Event(Kind.HEALTH, health_check.Fault.TIMEOUT, Thing.SERVER, 0, health.State.UP, health.State.DOWN),
        "u1",
        "health server u1 up -> down: timeout results_in_a_row=0 status=0 took_ms=0",
    ),
    (
        Event(Kind.CIRCUIT, breaker.Cause.OPEN_TIME_OVER, Thing.API, 0, breaker.State.OPEN, breaker.State.HALF_OPEN),
        "all",
        "circuit api all open -> half_open: open_time_over open_ms=0",
    ),
]


@pytest.mark.parametrize(("event", "name", "text"), EVENTS)
def test_events_in_words(event: Event, name: str, text: str) -> None:
    assert sentence(described(event, name)) == text


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_words(kind: Kind) -> None:
    told: dict[str, Any] = described(Event(kind, 1), "x")
    assert told["kind"] == kind.name.lower()
    assert not told["cause"].isdigit()


def test_numbers_of_a_newer_writer_stay_numbers() -> None:
    assert described(Event(Kind.RELOAD, 99, after=7), "")["cause"] == "99"
