from typing import Any

from gadmin.fleet.events import MOST, FleetEvents


def event(time_ms: int, name: str = "u1", to: str = "open") -> dict[str, Any]:
    return {"id": 1, "time_ms": time_ms, "kind": "circuit", "object": "server", "name": name, "to": to}


def test_events_of_all_nodes_are_in_the_order_of_their_time() -> None:
    events = FleetEvents()
    events.hear("a", {"events": [event(10), event(30)]})
    events.hear("b", {"events": [event(20)]})
    told = events.since(0)
    assert [(one["node"], one["time_ms"]) for one in told["events"]] == [("a", 10), ("b", 20), ("a", 30)]
    assert told["last"] == 3


def test_only_what_came_in_later_is_told_again() -> None:
    events = FleetEvents()
    events.hear("a", {"events": [event(10)]})
    last = events.since(0)["last"]
    assert events.since(last)["events"] == []
    events.hear("b", {"events": [event(5)]})
    assert [one["time_ms"] for one in events.since(last)["events"]] == [5], "late, but new"


def test_a_monitor_that_begins_anew_repeats_nothing() -> None:
    events = FleetEvents()
    events.hear("a", {"events": [event(10), event(11, to="closed")]})
    events.hear("a", {"events": [event(10), event(11, to="closed"), event(12)]})
    assert [one["time_ms"] for one in events.since(0)["events"]] == [10, 11, 12]


def test_a_number_of_another_admin_gets_everything() -> None:
    events = FleetEvents()
    events.hear("a", {"events": [event(10)]})
    told = events.since(77)
    assert told["restarted"]
    assert len(told["events"]) == 1


def test_the_oldest_make_room() -> None:
    events = FleetEvents()
    events.hear("a", {"events": [event(number) for number in range(MOST + 5)]})
    told = events.since(0)["events"]
    assert (len(told), told[0]["time_ms"]) == (MOST, 5)
