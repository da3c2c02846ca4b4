from typing import Any

from gproxy.core.model import MODELS, normalised
from gproxy.store.snapshot_file import render
from gproxy.sync.shared_rules import SharedCircuit, SharedLimit, SharedRules, shared_rules

SHARED = {"share": "cluster", "quorum": 3, "open_s": 2, "max_open_s": 8}


def line(kind: str, row: int | None, **document: Any) -> bytes:
    return render(kind, normalised(MODELS[kind].model_validate(document)), row)


def server(name: str, row: int, **fields: Any) -> bytes:
    return line("server", row, name=name, address="127.0.0.1:1", **fields)


def api(name: str, row: int, **fields: Any) -> bytes:
    return line("api", row, name=name, path="/", nodes=[{"cluster": "c"}], **fields)


def test_limits_that_all_nodes_share() -> None:
    lines = [
        api("a", 4, rate_limit={"rate": 100, "per_s": 10, "scope": "cluster"}),
        api("b", 5, rate_limit={"rate": 100, "key": "client_ip", "scope": "cluster"}),
        api("c", 6, rate_limit={"rate": 100}),
        api("d", 7),
    ]
    assert shared_rules(lines) == SharedRules({"a": SharedLimit(4, 10.0), "b": SharedLimit(5, None)}, {})


def test_circuits_that_all_nodes_share_are_those_of_the_cluster_or_the_servers_own() -> None:
    lines = [
        server("u1", 0),
        server("u2", 1, circuit_breaker={}),
        server("u3", 2, circuit_breaker={"share": "cluster", "open_s": 400}),
        server("u4", 3),
        line("cluster", None, name="c", servers=["u1", "u2"], circuit_breaker=SHARED),
        line("cluster", None, name="d", servers=["u4"], circuit_breaker={}),
    ]
    assert shared_rules(lines).circuits == {
        "u1": SharedCircuit(0, 3, 2_000_000, 8_000_000),
        "u3": SharedCircuit(2, 2, 400_000_000, 400_000_000),
    }


def test_the_words_elsewhere_in_a_document_mean_nothing() -> None:
    words = {"scope": "cluster", "share": "cluster"}
    lines = [
        api("a", 1, tags=["share"], rate_limit=None),
        api("b", 2, response_headers={"set": words}),
        api("c", 3, filters=words, rate_limit={"rate": 5}),
        server("x", 0),
        line("cluster", None, name="d", servers=["x"], health_check={"headers": words}),
    ]
    assert all(b'"scope":"cluster"' in each for each in lines[1:3])
    assert shared_rules(lines) == SharedRules()
