from dataclasses import dataclass
from typing import Any

from gproxy.store.base import State, Stored
from gproxy.store.salvage import key_of, merged, path_of, salvage

U1 = {"name": "u1", "address": "127.0.0.1:1"}
STATE = State(
    2,
    {
        ("server", "u1"): Stored("server", "u1", 1, U1),
        ("cluster", "c1"): Stored("cluster", "c1", 2, {"name": "c1", "servers": ["u1"]}),
    },
)


@dataclass(frozen=True)
class Wanted:
    kind: str
    name: str
    document: dict[str, Any] | None


def names(*wanted: Wanted) -> tuple[list[str], list[str]]:
    good, ignored = salvage(STATE, wanted)
    return [one.name for one in good], sorted(ignored.values())


def test_all_that_is_valid_is_taken() -> None:
    wanted = [Wanted("server", "u2", {"address": "127.0.0.1:2"}), Wanted("cluster", "c2", {"servers": ["u2"]})]
    assert names(*wanted) == (["u2", "c2"], [])
    assert merged(STATE, wanted)["server"] == {"u1": U1, "u2": {"address": "127.0.0.1:2"}}


def test_what_depends_on_something_wrong_is_wrong_too() -> None:
    assert names(
        Wanted("server", "u2", {"address": 5}),
        Wanted("cluster", "c2", {"servers": ["u2"]}),
        Wanted("api", "a2", {"path": "/", "nodes": [{"cluster": "c2"}]}),
        Wanted("server", "u3", {"address": "127.0.0.1:3"}),
    ) == (
        ["u3"],
        [
            'apis[a2].nodes[0].cluster: there is no cluster "c2"',
            'clusters[c2].servers[0]: there is no server "u2"',
            "servers[u2].address: must be text, not 5: put it in quotes",
        ],
    )


def test_a_deletion_is_blamed_for_who_misses_it() -> None:
    good, ignored = names(Wanted("server", "u1", None), Wanted("server", "u2", {"address": "127.0.0.1:2"}))
    assert (good, ignored) == (["u2"], ['clusters[c1].servers[0]: there is no server "u1"'])


def test_a_problem_that_nobody_is_to_blame_for_stops_all() -> None:
    broken = State(1, {("server", "x"): Stored("server", "x", 1, {"address": 5})})
    good, ignored = salvage(broken, [Wanted("server", "u2", {"address": "127.0.0.1:2"})])
    assert (good, list(ignored)) == ([], [("server", "u2")])


def test_unknown_kinds_are_said() -> None:
    stranger = Wanted("thing", "x", {})
    assert salvage(STATE, [stranger])[1][key_of(stranger)].startswith("thing[x] is of no known kind (server")
    assert path_of(Wanted("", "/gw/x", None)) == "/gw/x"
