from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy import settings
from gproxy.core.limiter import Limit
from gproxy.monitor.explain import Explainer
from gproxy.shared import layout
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from tests.core.snapshot_lines import lines

SERVERS = [
    {"name": "u1", "address": "127.0.0.1:9001", "weight": 2},
    {"name": "u2", "address": "127.0.0.1:9002", "status": "drain"},
]
CLUSTERS = [{"name": "users", "servers": ["u1", "u2"], "retry": {"attempts": 3}}]
APIS = [
    {
        "name": "user",
        "path": "/users/{id:int}",
        "methods": ["GET"],
        "rewrite": "/cgi?id={path.id}&x={query.x}",
        "nodes": [{"cluster": "users"}],
        "rate_limit": {"rate": 1, "key": "client_ip"},
        "request_headers": {"set": {"X-Api": "user"}},
    },
    {"name": "all", "path": "/*", "hosts": ["a.example"], "nodes": [{"cluster": "users"}]},
]


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(1, rows=16)
    made.claim(0)
    made.cells[layout.ROWS_USED] = 8
    yield made
    made.close()


@pytest.fixture
def explainer(table: Table, tmp_path: Path) -> Explainer:
    empty = tmp_path / "empty.ini"
    empty.touch()
    return Explainer(table, settings.load(empty, {"filters": {"extra": "own:Filter"}}), tmp_path / "snapshot")


@pytest.fixture
def explain(table: Table, explainer: Explainer, tmp_path: Path) -> Any:
    snapshot_file.write(tmp_path / "snapshot", 7, "x", lines(SERVERS, CLUSTERS, APIS))
    table.cells[layout.PUBLISHED] = 1
    return lambda url, method="GET", **more: explainer.explain({"url": url, "method": method, **more})


def test_the_whole_story(explain: Any) -> None:
    told = explain("http://a.example/users/7?x=a%26b")
    assert told["revision"] == 7
    assert told["request"] == {
        "method": "GET",
        "host": "a.example",
        "path": "/users/7",
        "query": "x=a%26b",
        "client_ip": "127.0.0.1",
    }
    assert [(one["api"], one["reason"]) for one in told["candidates"]] == [
        ("user", "chosen"),
        ("all", "matches, but comes later in the order"),
    ]
    assert told["api"] == {"name": "user", "path": "/users/{id:int}", "circuit": None, "in_flight": 0, "most": 0}
    assert told["variables"] == {"id": "7"}
    assert [(one["filter"], one["verdict"]) for one in told["filters"]] == [
        ("rate_limit", "passes"),
        ("headers", "passes"),
    ]
    assert told["own_filters"] == ["own:Filter"]
    (node,) = told["nodes"]
    assert (node["cluster"], node["method"], node["target"]) == ("users", "GET", "/cgi?id=7&x=a%26b")
    assert (node["policy"], node["retry_attempts"]) == ("round_robin", 3)
    assert [(server["name"], server["usable"], server["against"]) for server in node["servers"]] == [
        ("u1", True, []),
        ("u2", False, ["it drains: only sticky sessions go there"]),
    ]
    assert ["X-Api", "user"] in told["headers"]
    assert told["answer"] == {"kind": "proxied"}


@pytest.mark.parametrize(
    ("url", "method", "status", "code"),
    [
        ("http://b.example/x", "GET", 404, "no_route"),
        ("http://b.example/users/7", "POST", 404, "no_route"),
        ("http://a.example/users/7", "GET", 400, "bad_value"),
        ("/a b", "G T", 400, "bad_request"),
    ],
)
def test_what_would_be_refused(explain: Any, url: str, method: str, status: int, code: str) -> None:
    answer = explain(url, method)["answer"]
    assert (answer["kind"], answer["status"], answer["code"]) == ("refused", status, code)


def test_a_path_that_must_not_be_matched(explain: Any) -> None:
    told = explain("http://a.example/a/../b")
    assert told["path_problem"] == "the path has a dot segment"


def test_a_limit_is_looked_at_and_not_used_up(explain: Any, table: Table) -> None:
    for _ in range(3):
        assert explain("/users/7?x=1")["answer"] == {"kind": "proxied"}
    limits = Limits(table, 0)
    row = 3  # of the first API: rows are places in the file
    assert not limits.take_key(row, b"127.0.0.1", Limit.of(1))
    told = explain("/users/7?x=1")
    assert [(one["filter"], one["verdict"]) for one in told["filters"]] == [("rate_limit", "answers")]
    assert (told["answer"]["status"], told["answer"]["code"]) == (429, "rate_limited")
    assert explain("/users/7?x=1", client_ip="192.0.2.1")["answer"] == {"kind": "proxied"}


def test_a_new_snapshot_is_used(explain: Any, table: Table, tmp_path: Path) -> None:
    assert explain("/users/7?x=1")["revision"] == 7
    snapshot_file.write(tmp_path / "snapshot", 8, "x", lines(SERVERS, CLUSTERS, APIS[1:]))
    assert explain("/users/7?x=1")["revision"] == 7
    table.cells[layout.PUBLISHED] = 2
    told = explain("/users/7?x=1")
    assert (told["revision"], told["api"]) == (8, None)


def test_a_node_without_a_configuration(explainer: Explainer) -> None:
    told = explainer.explain({"url": "/"})
    assert (told["answer"]["status"], told["answer"]["code"], told["api"]) == (503, "no_configuration", None)


def test_what_routing_rules_say(explainer: Explainer, table: Table, tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "a", "cluster": "new", "when": {"all": ["$query_x == 2"]}},
        {"name": "b", "cluster": "new", "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "c", "cluster": "new", "path": "/other"},
        {"name": "d", "cluster": "new", "percent": 10},
        {"name": "e", "cluster": "new", "percent": 0, "sticky": "client_ip"},
        {"name": "f", "cluster": "new"},
        {"name": "g", "cluster": "users"},
        {"name": "h", "cluster": "new", "action": "mirror"},
        {"name": "i", "cluster": "new", "action": "mirror", "percent": 5},
        {"name": "j", "cluster": "new", "action": "mirror", "path": "/other"},
    ]
    clusters = [*CLUSTERS, {"name": "new", "servers": ["u1"]}]
    snapshot_file.write(tmp_path / "snapshot", 9, "x", lines(SERVERS, clusters, APIS, rules))
    table.cells[layout.PUBLISHED] = 1
    (node,) = explainer.explain({"url": "/users/7?x=1"})["nodes"]
    assert node["cluster"] == "new"
    assert [(rule["rule"], rule["taken"], rule["reason"]) for rule in node["rules"]] == [
        ("a", False, "its conditions do not hold"),
        ("b", False, "has expired"),
        ("c", False, "the path is another one"),
        ("d", False, "applies to 10 % of such requests"),
        ("e", False, "is for others"),
        ("f", True, "applies"),
        ("g", False, "applies, but comes later in the order"),
        ("h", False, "applies, and copies"),
        ("i", False, "applies to 5 % of such requests, and copies"),
        ("j", False, "the path is another one"),
    ]


def test_many_routes_are_not_all_told(explainer: Explainer, table: Table, tmp_path: Path) -> None:
    apis = [{"name": f"a{number}", "path": f"/a{number}", "nodes": [{"cluster": "users"}]} for number in range(100)]
    snapshot_file.write(tmp_path / "snapshot", 9, "x", lines(SERVERS, CLUSTERS, apis))
    table.cells[layout.PUBLISHED] = 1
    told = explainer.explain({"url": "/a7"})
    assert told["candidates"][0]["api"] == "a7"
    assert (len(told["candidates"]), told["candidates_left_out"]) == (21, 79)


WHOLE = [
    {"cluster": "users", "attr": "user", "rewrite": "/users/{path.id}"},
    {"cluster": "users", "attr": "more", "batch": 5, "rewrite": "/x/{user.a.b:c}?q={user.id}&r={query.r|%}"},
    {"cluster": "users", "attr": "news", "method": "POST", "required": False, "default": [1]},
]


@pytest.fixture
def explain_nodes(table: Table, explainer: Explainer, tmp_path: Path) -> Any:
    """Return what explains a request to an API with these nodes."""

    def explained(nodes: list[dict[str, Any]], url: str, method: str = "GET") -> Any:
        api = {"name": "whole", "path": "/whole/{id}", "nodes": nodes}
        snapshot_file.write(tmp_path / "snapshot", 7, "x", lines(SERVERS, CLUSTERS, [api]))
        table.cells[layout.PUBLISHED] += 1
        return explainer.explain({"url": url, "method": method})

    return explained


def test_the_parts_of_a_whole(explain_nodes: Any) -> None:
    told = explain_nodes(WHOLE, "http://a.example/whole/7?r=%7Buser.x%7D", "HEAD")
    assert [(node["attr"], node["batch"], node["required"], node.get("default")) for node in told["nodes"]] == [
        ("user", 0, True, None),
        ("more", 1, True, None),
        ("news", 0, False, [1]),
    ]
    assert [(node["method"], node["target"]) for node in told["nodes"]] == [
        ("GET", "/users/7"),
        ("GET", "/x/{user.a.b:c}?q={user.id}&r=%7Buser.x%7D"),
        ("POST", "/whole/7?r=%7Buser.x%7D"),
    ]
    assert told["answer"] == {"kind": "proxied"}


@pytest.mark.parametrize(("required", "kind"), [(None, "refused"), (False, "proxied")])
def test_what_is_missing_for_a_part(explain_nodes: Any, required: bool | None, kind: str) -> None:
    broken = {"cluster": "users", "attr": "b", "rewrite": "/{query.none}", "required": required}
    told = explain_nodes([WHOLE[0], broken], "http://a.example/whole/7")
    assert [node["problem"] is None for node in told["nodes"]] == [True, False]
    assert told["answer"]["kind"] == kind
