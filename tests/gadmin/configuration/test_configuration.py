from typing import Any

from gadmin.configuration.configuration import Configuration
from gproxy.store.base import State, Stored

DOCUMENTS: dict[str, dict[str, Any]] = {
    "server": {
        "u1": {"name": "u1", "address": "10.0.0.1:80", "weight": 2},
        "u2": {"name": "u2", "address": "10.0.0.2:80", "status": "drain", "circuit_breaker": {"open_s": 3.0}},
    },
    "cluster": {"users": {"name": "users", "servers": ["u1", "u2"], "health_check": {"path": "/up"}}},
    "api": {"all": {"name": "all", "path": "/Search/*", "nodes": [{"cluster": "users"}], "tags": ["red", "blue"]}},
}


def state(revision: int = 1) -> State:
    stored = [Stored(kind, name, revision, document) for kind, of in DOCUMENTS.items() for name, document in of.items()]
    return State(revision, {one.key: one for one in stored})


CONFIGURATION = Configuration(state())


def found(kind: str, words: str = "", **filters: str) -> list[str]:
    return [one.name for one in CONFIGURATION.search(kind, words, filters)]


def test_a_search_finds_all_words_anywhere_in_the_text() -> None:
    assert found("server") == ["u1", "u2"]
    assert found("server", "10.0.0.2") == ["u2"]
    assert found("api", "search USERS") == ["all"]
    assert found("api", "search nobody") == []


def test_a_filter_asks_for_a_value_or_an_entry_also_for_defaults() -> None:
    assert found("server", status="up") == ["u1"]
    assert found("server", status="drain", weight="1") == ["u2"]
    assert found("api", tags="blue") == ["all"]
    assert found("api", tags="green") == []
    assert found("cluster", servers="u1") == ["users"]


def test_a_filter_reaches_into_parts() -> None:
    cluster = CONFIGURATION.search("cluster", "", {"health_check.path": "/up"})
    assert [one.name for one in cluster] == ["users"]
    assert found("server", circuit_breaker="true") == ["u2"]
    assert found("server", circuit_breaker="false") == ["u1"]
    assert found("server", backup="false") == ["u1", "u2"]


def test_it_knows_who_uses_whom() -> None:
    assert CONFIGURATION.users_of == {
        ("server", "u1"): [("cluster", "users")],
        ("server", "u2"): [("cluster", "users")],
        ("cluster", "users"): [("api", "all")],
    }


def test_every_kind_is_there_and_names_are_sorted() -> None:
    empty = Configuration(State(0, {}))
    assert all(documents == {} for documents in empty.objects.values())
    assert CONFIGURATION.names["server"] == ["u1", "u2"]
    assert CONFIGURATION.get("server", "u9") is None


def test_what_has_not_changed_is_not_checked_again() -> None:
    assert CONFIGURATION.checked.problems == []
    later = Configuration(state(2), CONFIGURATION)
    assert later.checked.entities["server"]["u1"] is CONFIGURATION.checked.entities["server"]["u1"]


def test_what_is_not_valid_is_found_as_it_is_written() -> None:
    broken = Configuration(State(1, {("server", "x"): Stored("server", "x", 1, {"name": "x", "status": "sideways"})}))
    assert [one.name for one in broken.search("server", "", {"status": "sideways"})] == ["x"]
