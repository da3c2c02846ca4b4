from typing import Any

from gadmin.fleet.reading import STALE_S, Reading
from gadmin.pages.troubles import Trouble, held_back, unhealthy


def reading(circuit: str, node: str = "n1", age_s: float = 0.0) -> Reading:
    told = {"servers": [{"name": "other", "circuit": "open"}, {"name": "u1", "circuit": circuit}], "apis": []}
    return Reading(node, "a:1", told, age_s, "")


def event(second: int, to: str, cause: str = "", node: str = "n1", kind: str = "circuit") -> dict[str, Any]:
    return {"time_ms": second * 1000, "to": to, "cause": cause, "node": node, "kind": kind}


def test_a_node_whose_check_fails_says_since_when_and_why() -> None:
    health = [
        {"node": "n1", "state": "up", "since_s": 5, "reason": ""},
        {"node": "n2", "state": "down", "since_s": 90, "reason": "connect"},
    ]
    assert unhealthy(health, 1000.0) == [Trouble("n2", "down", 910.0, "connect", "health check")]


def test_a_circuit_is_open_since_it_was_closed_last() -> None:
    events = [
        event(1, "open", "failure_percent"),
        event(2, "closed"),
        event(3, "open", "consecutive_failures"),
        event(4, "half_open", "open_time_over"),
        event(5, "open", "probe_failed"),
        event(6, "down", "status", kind="health"),
    ]
    (found,) = held_back([reading("half_open")], "server", "u1", events)
    assert found == Trouble("n1", "circuit half_open", 3.0, "consecutive_failures", "circuit breaker")


def test_only_what_live_nodes_say_now_counts() -> None:
    events = [event(1, "open", "probe_failed", node="n2")]
    readings = [reading("closed"), reading("open", "n3", STALE_S + 1), Reading("n4", "a:1", None, 0.0, "refused")]
    assert held_back(readings, "server", "u1", events) == []
    assert held_back([reading("open")], "server", "u1", events) == [
        Trouble("n1", "circuit open", None, "", "circuit breaker")
    ]
    assert held_back([reading("open")], "api", "u1", events) == []
