from typing import Any

import pytest

from gproxy.ctl.seed import Imported, imported
from gproxy.ctl.seed_export import SeedExport


def one(**folders: Any) -> Imported:
    (found,) = imported(SeedExport(**folders))
    return found


def server(**fields: Any) -> Imported:
    return one(servers={"10.0.0.1:80": {"addr": "10.0.0.1:80", **fields}})


def test_a_plain_server() -> None:
    made = server()
    assert made.document == {"name": "10.0.0.1:80", "address": "10.0.0.1:80"}
    assert made.remarks == ["maxQPS 0: rejected every request there; here it is no limit"]


def test_a_server_with_everything() -> None:
    made = server(
        schema="https", checkPath="/health", checkDuration=7, checkTimeout=2, maxQPS=100,
        halfToOpen=30, halfTrafficRate=20, closeCount=3,
    )  # fmt: skip
    assert made.document == {
        "name": "10.0.0.1:80",
        "address": "10.0.0.1:80",
        "scheme": "https",
        "health_check": {"path": "/health", "expect_body": "OK", "timeout_s": 2, "interval_s": 7},
        "max_qps": 100,
        "circuit_breaker": {
            "consecutive_failures": 4,
            "open_s": 30,
            "half_open_percent": 20,
            "half_open_successes": 1,
        },
    }
    assert any("the names were the other way round" in remark for remark in made.remarks)
    assert any("closeCount 3: tripped when it was exceeded" in remark for remark in made.remarks)


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({"closeCount": 3, "halfToOpen": 5}, "halfTrafficRate 0: let nothing through"),
        ({"halfTrafficRate": 5}, "halfTrafficRate: without closeCount"),
        ({"checkPath": "/"}, "the first check had to succeed"),
        ({"status": 0}, "had no check"),
    ],
)
def test_what_means_something_else_is_remarked(fields: dict[str, Any], remark: str) -> None:
    assert any(remark in said for said in server(**fields).remarks)


def test_a_cluster_has_the_servers_bound_to_it_and_an_api_for_its_pattern() -> None:
    export = SeedExport(
        servers={"a:1": {"addr": "a:1", "bindClusters": ["my users"]}, "b:1": {"addr": "b:1"}},
        clusters={"my users": {"name": "my users", "pattern": "/users/.*", "lbName": "ROUNDROBIN"}},
        binds=[("b:1", "my users"), ("c:1", "others")],
    )
    *_, cluster, api = imported(export)
    assert cluster.document == {"name": "my-users", "servers": ["b:1", "a:1"]}
    assert api.document == {
        "name": "cluster-my-users",
        "path": "~/users/.*",
        "priority": -100,
        "nodes": [{"cluster": "my-users"}],
    }


def test_a_cluster_without_servers_or_with_another_policy_is_remarked() -> None:
    made = one(clusters={"c": {"name": "c", "lbName": "IPHASH"}})
    assert made.remarks == ["no server is bound to it", "lbName IPHASH: is round_robin here; the seed had nothing else"]


def test_an_aggregation_is_an_api_with_several_nodes() -> None:
    nodes = [
        {"clusterName": "users", "attrName": "user", "rewrite": "/users/$1"},
        {"clusterName": "money", "attrName": "account", "url": "/accounts"},
    ]
    made = one(aggregations={"/profile/(.+)": {"url": "/profile/(.+)", "nodes": nodes}})
    assert made.document == {
        "name": "aggregation-profile",
        "path": "~/profile/(.+)",
        "nodes": [
            {"cluster": "users", "attr": "user", "rewrite": "/users/{1}"},
            {"cluster": "money", "attr": "account", "rewrite": "/accounts"},
        ],
        "merge": {"on_failure": "fail"},
    }
    assert any("5xx of a node was merged into a 200" in remark for remark in made.remarks)


def test_an_aggregation_of_one_is_a_plain_api() -> None:
    made = one(aggregations={"/x": {"url": "/x", "nodes": [{"clusterName": "c", "attrName": "a"}]}})
    assert made.document == {"name": "aggregation-x", "path": "~/x", "nodes": [{"cluster": "c"}]}


def test_a_routing_keeps_its_conditions_and_its_end() -> None:
    seed = {"id": "r1", "clusterName": "beta", "url": "/users/.*", "cfg": 'rule = ["$COOKIE_g == b"]; deadline = 60'}
    made = one(routings={"r1": seed}, expires={"r1": "2027-01-01T00:00:00Z"})
    assert made.document == {
        "name": "r1",
        "cluster": "beta",
        "path": "~/users/.*",
        "when": {"all": ["$cookie_g == b"]},
        "expires_at": "2027-01-01T00:00:00Z",
    }
    assert any("deadline 60: the export does not say" in remark for remark in one(routings={"r1": seed}).remarks)


def test_a_cfg_that_cannot_be_read_is_remarked() -> None:
    made = one(routings={"r1": {"id": "r1", "clusterName": "beta", "cfg": "nonsense"}})
    assert made.document == {"name": "r1", "cluster": "beta"}
    assert made.remarks == ["cfg cannot be read: at 'nonsense'; the routing has no conditions now"]


def test_names_that_would_be_the_same_are_told_apart() -> None:
    found = imported(SeedExport(aggregations={"/a/": {"url": "/a/"}, "/a": {"url": "/a"}}))
    assert [(one.name, one.document["name"]) for one in found] == [("aggregation-a",) * 2, ("aggregation-a-2",) * 2]
    assert found[1].remarks[-1] == "there is another aggregation-a"
