from typing import Any

from gadmin.pages.strips import LEAST_MS, MOST_MS, WIDE, strips

NOW = 10_000_000_000


def event(ago_ms: float, before: str, after: str, kind: str = "circuit", node: str = "n1") -> dict[str, Any]:
    return {"time_ms": NOW - ago_ms, "kind": kind, "from": before, "to": after, "node": node, "cause": "x"}


def test_the_time_between_events_is_in_a_state() -> None:
    opened, closed = event(LEAST_MS / 2, "closed", "open"), event(LEAST_MS / 4, "open", "closed")
    (strip,) = strips([opened, closed], NOW)
    assert [(one.state, one.left, one.width) for one in strip.segments] == [
        ("closed", 0, WIDE / 2),
        ("open", WIDE / 2, WIDE / 4),
        ("closed", WIDE * 3 / 4, WIDE / 4),
    ]
    assert [one.event for one in strip.segments] == [None, opened, closed]
    assert strip.seconds == LEAST_MS / 1000


def test_each_node_and_kind_has_a_strip_over_the_same_time() -> None:
    found = strips(
        [event(3 * LEAST_MS, "up", "down", "health", "n2"), event(9, "closed", "open"), event(5, "", "", "reload")], NOW
    )
    assert [(one.node, one.kind) for one in found] == [("n1", "circuit"), ("n2", "health")]
    assert {round(one.seconds) for one in found} == {round(3 * LEAST_MS * 1.05 / 1000)}
    assert all(abs(sum(part.width for part in one.segments) - WIDE) < 0.1 for one in found)


def test_what_is_too_long_ago_is_left_out_and_clocks_may_differ() -> None:
    assert strips([event(MOST_MS + 1, "up", "down", "health")], NOW) == []
    (strip,) = strips([event(-5000, "closed", "open")], NOW)
    assert [(one.state, one.width) for one in strip.segments] == [("closed", WIDE), ("open", 0)]
