from typing import Any

from gadmin.fleet import merge
from gadmin.fleet.reading import Reading
from gproxy.core.histogram import MIDDLES_US, bucket


def server(requests: int, us: int, rate: float | None = 1.0, **more: Any) -> dict[str, Any]:
    """Return a server as /stats tells of it."""
    rates = None if rate is None else {"10s": {"requests": rate, "errors": 0.5}}
    buckets = {"start": [bucket(us), requests], "10s": [bucket(us), requests]}
    return {"name": "u1", "requests": requests, "active": 2, "circuit": "closed", "health": "up", "rates": rates,
            "latency_ms": {}, "buckets": buckets, **more}  # fmt: skip


def reading(name: str, servers: list[dict[str, Any]], age_s: float = 0.0) -> Reading:
    told = {
        "node": name,
        "ready": True,
        "totals": {"requests": 10, "active": 1},
        "figures": {"rates": {"10s": {"requests": 5.0}}, "buckets": {"10s": [bucket(1000), 5]}},
        "workers": [{"slot": 0}],
        "servers": servers,
        "apis": [],
        "history": None,
    }
    return Reading(name, f"{name}:9900", told, age_s, "")


def test_counters_and_rates_are_summed() -> None:
    (merged,) = merge.objects([reading("a", [server(10, 1000)]), reading("b", [server(5, 1000)])], "servers")
    assert (merged["name"], merged["requests"], merged["active"]) == ("u1", 15, 4)
    assert merged["rates"]["10s"] == {"requests": 2.0, "errors": 1.0}
    assert merged["circuits"] == {"closed": 2}
    assert merged["health"] == {"up": 2}


def test_percentiles_are_those_of_all_requests_not_means_of_nodes() -> None:
    (merged,) = merge.objects([reading("a", [server(98, 1000)]), reading("b", [server(2, 800_000)])], "servers")
    assert merged["latency_ms"]["10s"]["p95"] == round(MIDDLES_US[bucket(1000)] / 1000, 3)
    assert merged["latency_ms"]["start"]["p99"] == round(MIDDLES_US[bucket(800_000)] / 1000, 3)


def test_an_object_that_is_quiet_on_a_node_adds_nothing_there() -> None:
    (merged,) = merge.objects([reading("a", [server(1, 1000)]), reading("b", [server(0, 1000, rate=None)])], "servers")
    assert merged["rates"]["10s"]["requests"] == 1.0
    assert merged["requests"] == 1


def test_nodes_that_are_down_are_shown_but_not_counted() -> None:
    dead = reading("c", [server(100, 1000)], age_s=60)
    never = Reading("d", "d:9900", None, 0.0, "connection refused")
    readings = [reading("a", [server(1, 1000)]), dead, never]
    assert merge.figures(readings)["totals"] == {"requests": 10, "active": 1}
    assert merge.figures(readings)["workers"] == 1
    assert merge.objects(readings, "servers")[0]["requests"] == 1
    assert [(node["id"], node["state"]) for node in merge.nodes(readings)] == [
        ("a", "ok"),
        ("c", "down"),
        ("d", "down"),
    ]
    assert "servers" not in merge.nodes(readings)[0]
    assert merge.nodes(readings)[2]["trouble"] == "connection refused"


def test_no_node_at_all_is_a_quiet_fleet() -> None:
    assert merge.figures([]) == {"totals": {}, "rates": {}, "latency_ms": {}, "workers": 0}
    assert merge.objects([], "apis") == []
