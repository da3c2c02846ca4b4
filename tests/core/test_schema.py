from typing import Any

import pytest
from hypothesis import given

from gproxy.core.model import normalised
from gproxy.core.schema import check, collect
from tests.core import documents

LISTS: dict[str, Any] = {
    "servers": [{"name": "u1", "address": "127.0.0.1:1"}, {"name": "u2", "address": "127.0.0.1:2"}],
    "clusters": [{"name": "users", "servers": ["u1", "u2"]}],
    "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]}],
}


def problems_of(lists: Any) -> list[str]:
    objects, problems = collect(lists)
    return [str(problem) for problem in (*problems, *check(objects).problems)]


def test_a_right_configuration() -> None:
    objects, problems = collect(LISTS)
    checked = check(objects)
    assert (problems, checked.problems) == ([], [])
    assert checked.compact({}) == {
        "server": {item["name"]: item for item in LISTS["servers"]},
        "cluster": {"users": LISTS["clusters"][0]},
        "api": {"all": LISTS["apis"][0]},
        "routing": {},
    }


def test_all_problems_at_once() -> None:
    assert problems_of(
        {
            "servers": [{"name": "u1", "address": "nowhere"}, {"name": "u2", "wieght": 3, "address": "a:1"}],
            "clusters": [{"name": "users", "servers": ["u1", "u9", "u8"], "load_balance": "best"}],
            "apis": [
                {"name": "all", "path": "/*", "hosts": ["a:80"], "nodes": [{"cluster": "user"}]},
                {"name": "one", "path": "/a", "nodes": [{"cluster": "users"}], "priority": "high"},
            ],
        }
    ) == [
        'servers[u1].address: must be "host:port" with a port from 1 to 65535, "[IPv6]:port" or "unix:/path"',
        "servers[u2].wieght: is not a known field, did you mean weight?",
        'clusters[users].load_balance: must be round_robin, least_conn, p2c, random or consistent_hash, not "best"',
        "apis[all].hosts[0]: must be a host name without scheme and port, or *. and a domain",
        'apis[one].priority: must be a whole number, not "high"',
        'clusters[users].servers[1]: there is no server "u9"',
        'clusters[users].servers[2]: there is no server "u8"',
        'apis[all].nodes[0].cluster: there is no cluster "user"',
    ]


def checked_by(*checks: Any, **server: Any) -> dict[str, Any]:
    clusters = [{"name": f"c{n}", "servers": ["u1"], "health_check": check} for n, check in enumerate(checks)]
    return {"servers": [{"name": "u1", "address": "127.0.0.1:1", **server}], "clusters": clusters}


def test_a_server_has_one_health_check() -> None:
    assert problems_of(checked_by({"path": "/a"}, {"path": "/b"})) == [
        'servers[u1].health_check: the clusters "c0" and "c1" check it differently: give the server one of its own'
    ]
    assert problems_of(checked_by({"path": "/a"}, {"path": "/b"}, health_check={"type": "tcp"})) == []
    assert problems_of(checked_by({}, {"type": "http"}, None)) == []


def test_a_server_has_one_circuit_breaker() -> None:
    lists = {
        "servers": [{"name": "u1", "address": "127.0.0.1:1"}],
        "clusters": [
            {"name": "a", "servers": ["u1"], "circuit_breaker": {}},
            {"name": "b", "servers": ["u1"], "circuit_breaker": {"open_s": 1}},
        ],
    }
    assert problems_of(lists) == [
        'servers[u1].circuit_breaker: the clusters "a" and "b" protect it differently: give the server one of its own'
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, None),
        ({"api": "all"}, None),
        ({"api": "all", "when": {"any": ["$path_id == 1", "$cookie_x == 1"]}}, None),
        ({"api": "all", "when": {"any": ["$path_1 == 1"]}}, None),
        ({"when": {"all": ["$path_whatever == 1"]}}, None),
        ({"api": "any"}, 'routings[r].api: there is no api "any"'),
        ({"cluster": "v9"}, 'routings[r].cluster: there is no cluster "v9"'),
        ({"api": "all", "when": {"all": ["$path_x == 1"]}}, "routings[r].when.all[0]: /u/{id} has no variable x"),
        ({"api": "all", "when": {"any": ["$path_2 == 1"]}}, "routings[r].when.any[0]: /u/{id} has no variable 2"),
        ({"api": "all", "node": "user"}, 'routings[r].node: all has no node "user"'),
    ],
)
def test_a_rule_fits_its_api(fields: dict[str, Any], said: str | None) -> None:
    lists = {
        "clusters": [{"name": "v1"}, {"name": "v2"}],
        "apis": [{"name": "all", "path": "/u/{id}", "nodes": [{"cluster": "v1"}]}],
        "routings": [{"name": "r", "cluster": "v2", **fields}],
    }
    assert problems_of(lists) == ([] if said is None else [said])


def test_a_misspelt_field_of_a_health_check() -> None:
    assert problems_of(checked_by(None, health_check={"intervall_s": 1})) == [
        "servers[u1].health_check.intervall_s: is not a known field, did you mean interval_s?"
    ]


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ([], "file: must be an object with the lists servers, clusters, apis, routings, not a list"),
        (None, "file: must be an object with the lists servers, clusters, apis, routings, not null"),
        ({"serverz": []}, "file.serverz: is not a known field, did you mean servers?"),
        ({"servers": None}, "servers: must be a list, not null"),
        ({"servers": {}}, "servers: must be a list, not an object"),
        ({"servers": ["u1"]}, 'servers[0]: must be an object, not "u1"'),
        ({"servers": [{"address": "[::1]:80"}]}, "servers[0].name: is missing"),
        ({"servers": [{"name": 1, "address": "a:1"}]}, "servers[0].name: must be text, not 1"),
        ({"servers": [{"name": "a", "address": "a:1"}] * 2}, "servers[a]: is listed twice"),
        (
            {"servers": [{"name": "a b", "address": "a:1"}]},
            "servers[a b].name: must be 1 to 128 letters, digits or any of . _ : -",
        ),
        ({"routings": [{}]}, "routings[0].name: is missing"),
    ],
)
def test_a_wrong_frame(lists: Any, said: str) -> None:
    assert problems_of(lists) == [said]


def test_only_listed_kinds_are_collected() -> None:
    assert collect({"servers": [], "routings": []}) == ({"server": {}, "routing": {}}, [])


def test_a_server_is_named_after_its_address() -> None:
    objects, problems = collect({"servers": [{"address": "127.0.0.1:9001"}]})
    assert problems == []
    assert check(objects).compact({})["server"] == {
        "127.0.0.1:9001": {"name": "127.0.0.1:9001", "address": "127.0.0.1:9001"}
    }


def test_objects_that_no_file_could_hold() -> None:
    checked = check({"server": {"a": {"name": "b", "address": "h:1"}, "c": 5}, "queue": {}})  # type: ignore[dict-item]
    assert [str(problem) for problem in checked.problems] == [
        "queue: is not supported by this version",
        'servers[a].name: is "b", but it is stored as "a"',
        "servers[c]: must be an object, not 5",
    ]


def test_what_has_not_changed_is_not_checked_again() -> None:
    objects, _ = collect(LISTS)
    first = check(objects)
    u2 = {"name": "u2", "address": "127.0.0.1:9"}
    second = check({**objects, "server": {**objects["server"], "u2": u2}}, first)
    assert second.entities["api"]["all"] is first.entities["api"]["all"]
    assert second.entities["server"]["u1"] is first.entities["server"]["u1"]
    assert normalised(second.entities["server"]["u2"])["address"] == "127.0.0.1:9"


def test_references_are_checked_also_of_what_has_not_changed() -> None:
    objects, _ = collect(LISTS)
    first = check(objects)
    second = check({**objects, "server": {"u1": objects["server"]["u1"]}}, first)
    assert [str(problem) for problem in second.problems] == ['clusters[users].servers[1]: there is no server "u2"']
    third = check(objects, second)
    assert third.problems == []


@given(documents.configurations())
def test_every_right_configuration_is_accepted_and_its_compact_form_is_stable(lists: Any) -> None:
    objects, problems = collect(lists)
    checked = check(objects)
    assert [*problems, *checked.problems] == []
    again = check(checked.compact({}))
    assert again.problems == []
    assert again.entities == checked.entities
    assert again.compact({}) == checked.compact({})


def test_what_the_store_has_already_is_not_made_compact_again() -> None:
    objects = {"server": {"u1": {"name": "u1", "address": "a:1", "weight": 1}}}
    assert check(objects).compact(objects)["server"]["u1"] is objects["server"]["u1"]
    assert check(objects).compact({})["server"]["u1"] == {"name": "u1", "address": "a:1"}
