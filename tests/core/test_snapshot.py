import json
from typing import Any

import pytest

from gproxy.core.backends import Endpoint, Server, Timeouts, Tls
from gproxy.core.snapshot import Api, Hooks, Snapshot, SnapshotBuilder, take_apart
from tests.core.snapshot_lines import line, lines

A = {"name": "a", "address": "127.0.0.1:1"}
B = {"name": "b", "address": "127.0.0.1:2"}
BOTH = {"name": "both", "servers": ["a", "b"]}
ALL = {"name": "all", "path": "/*", "nodes": [{"cluster": "both"}]}
DEFAULTS = Timeouts(3, 30, 0)
#: of every kind that the router keeps apart
PATHS = ["/exact", "/one/*", "/{n:int}/y", "/{state:on|off}/z", "~^/re/x$"]


def no_hooks(document: Any) -> Hooks:
    return Hooks()


def build(content: list[bytes], previous: Snapshot | None = None, defaults: Timeouts = DEFAULTS) -> Snapshot:
    builder = SnapshotBuilder(7, defaults, no_hooks, previous)
    for item in content:
        builder.add(item)
    return builder.build()


def api_at(snapshot: Snapshot, path: bytes = b"/") -> Api:
    found = snapshot.router.find(b"a", b"GET", path)
    assert found is not None
    assert isinstance(found.target, Api)
    return found.target


def server(**fields: Any) -> Server:
    content = line("server", {"name": "x", "address": "127.0.0.1:1"} | fields)
    (built,) = build([content]).compiled.values()
    assert isinstance(built, Server)
    return built


@pytest.mark.parametrize(
    ("address", "endpoint", "text"),
    [
        ("127.0.0.1:80", Endpoint("127.0.0.1", 80, "", None), "127.0.0.1:80"),
        ("a.b:1", Endpoint("a.b", 1, "", None), "a.b:1"),
        ("[::1]:80", Endpoint("::1", 80, "", None), "[::1]:80"),
        ("unix:/run/x.sock", Endpoint("", 0, "/run/x.sock", None), "unix:/run/x.sock"),
        ("unix:/run/a:80", Endpoint("", 0, "/run/a:80", None), "unix:/run/a:80"),
    ],
)
def test_endpoints(address: str, endpoint: Endpoint, text: str) -> None:
    assert Endpoint.parse(address, None) == endpoint
    assert str(endpoint) == text


def test_an_endpoint_is_its_address_and_its_tls() -> None:
    plain, tls = server().endpoint, server(scheme="https").endpoint
    assert plain != tls
    assert tls.tls == Tls()
    assert server(name="y", weight=5, status="drain").endpoint == plain
    assert server(scheme="https", tls={"verify": False}).endpoint != tls


@pytest.mark.parametrize(
    ("address", "host_line"),
    [
        ("127.0.0.1:80", b"Host: 127.0.0.1:80\r\n"),
        ("[::1]:80", b"Host: [::1]:80\r\n"),
        ("unix:/run/x.sock", b"Host: localhost\r\n"),
    ],
)
def test_host_line_of_a_server(address: str, host_line: bytes) -> None:
    assert server(address=address).host_line == host_line


@pytest.mark.parametrize(("status", "is_up"), [("up", True), ("down", False), ("drain", False)])
def test_status_of_a_server(status: str, is_up: bool) -> None:
    assert server(status=status).is_up is is_up


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        (Timeouts(), Timeouts(1, 2, 3), Timeouts(1, 2, 3)),
        (Timeouts(9), Timeouts(1, 2, 3), Timeouts(9, 2, 3)),
        (Timeouts(0, 0, 0), Timeouts(1, 2, 3), Timeouts(0, 0, 0)),
        (Timeouts(None, 8), Timeouts(1), Timeouts(1, 8, None)),
    ],
)
def test_narrower_timeouts_win(narrow: Timeouts, wide: Timeouts, expected: Timeouts) -> None:
    assert narrow.over(wide) == expected


def test_timeouts_of_an_api_are_its_own_then_its_clusters_then_the_defaults() -> None:
    cluster = BOTH | {"timeouts": {"connect_s": 1, "response_s": 2}}
    api = ALL | {"timeouts": {"connect_s": 0}}
    built = api_at(build(lines([A, B], [cluster], [api]), defaults=Timeouts(5, 6, 7)))
    assert (built.nodes[0].connect_s, built.nodes[0].response_s, built.total_s) == (0, 2, 7)


def test_who_takes_the_traffic_of_a_cluster() -> None:
    servers: list[dict[str, Any]] = [
        A,
        B | {"weight": 0},
        {"name": "c", "address": "127.0.0.1:3", "status": "down"},
        {"name": "d", "address": "127.0.0.1:4", "status": "drain"},
        {"name": "e", "address": "127.0.0.1:5", "backup": True},
        {"name": "f", "address": "127.0.0.1:6", "backup": True, "status": "down"},
    ]
    cluster = build(lines(servers, [{"name": "x", "servers": list("fedcba")}])).clusters["x"]
    assert [member.name for member in cluster.members] == list("fedcba")
    assert [member.name for member in cluster.primary] == ["a"]
    assert [member.name for member in cluster.backup] == ["e"]


@pytest.mark.parametrize(
    ("down", "left"),
    [("", "ab"), ("a", "b"), ("ab", "cd"), ("abc", "d"), ("cd", "ab"), ("abcd", "")],
)
def test_who_takes_over_from_servers_that_are_down(down: str, left: str) -> None:
    servers = [{"name": name, "address": "127.0.0.1:1", "backup": name in "cd"} for name in "abcd"]
    cluster = build(lines(servers, [{"name": "x", "servers": list("abcd")}])).clusters["x"]
    rows = {member.row for member in cluster.members if member.name in down}
    assert "".join(server.name for server in cluster.without(rows)) == left


def test_which_clusters_a_server_is_in() -> None:
    snapshot = build(lines([A, B], [BOTH, {"name": "other", "servers": ["b"]}]))
    found = {row: [cluster.name for cluster in clusters] for row, clusters in snapshot.clusters_of.items()}
    assert found == {0: ["both"], 1: ["both", "other"]}


def test_health_is_of_a_server_at_an_address() -> None:
    known = server().identity
    assert server(weight=5, status="drain").identity == known
    assert len({known, server(address="127.0.0.1:2").identity, server(scheme="https").identity}) == 3


def test_an_api_that_is_down_takes_nothing() -> None:
    snapshot = build(lines([A, B], [BOTH], [ALL | {"status": "down"}]))
    assert snapshot.router.find(b"a", b"GET", b"/") is None


def test_routes_are_built_from_the_whole_document() -> None:
    api = ALL | {"hosts": ["x.de"], "methods": ["POST"], "path": "/u/{id}", "priority": 5, "preserve_host": False}
    router = build(lines([A, B], [BOTH], [ALL, api | {"name": "u"}])).router
    found = router.find(b"x.de", b"POST", b"/u/7")
    assert found is not None
    assert (found.target.name, found.values, found.target.nodes[0].preserve_host) == ("u", (b"7",), False)
    for host, method, path in [(b"y.de", b"POST", b"/u/7"), (b"x.de", b"GET", b"/u/7"), (b"x.de", b"POST", b"/u")]:
        found = router.find(host, method, path)
        assert found is not None
        assert found.target.name == "all"


def test_hooks_are_made_from_the_document() -> None:
    def hooks_for(document: Any) -> Hooks:
        return Hooks(before=(lambda exchange: None,), after=(lambda exchange, head: document["name"].encode(),))

    builder = SnapshotBuilder(1, DEFAULTS, hooks_for)
    for item in lines([A, B], [BOTH], [ALL]):
        builder.add(item)
    api = api_at(builder.build())
    assert len(api.before) == 1
    assert api.after[0](None, b"") == b"all"


def test_revision_endpoints_and_an_empty_snapshot() -> None:
    empty = build([])
    assert (empty.revision, empty.endpoints, dict(empty.clusters)) == (7, frozenset(), {})
    assert empty.router.find(b"a", b"GET", b"/") is None
    assert {str(endpoint) for endpoint in build(lines([A, B])).endpoints} == {"127.0.0.1:1", "127.0.0.1:2"}


def test_what_has_not_changed_is_taken_over() -> None:
    first = build(lines([A, B], [BOTH], [ALL]))
    second = build(lines([A, B], [BOTH], [ALL]), first)
    assert second is not first
    assert second.compiled == first.compiled
    assert api_at(second) is api_at(first)


def test_what_refers_to_something_changed_is_built_again() -> None:
    other = {"name": "other", "servers": ["b"]}
    apis = [ALL, ALL | {"name": "o", "path": "/o", "nodes": [{"cluster": "other"}]}]
    first = build(lines([A, B], [BOTH, other], apis))
    second = build(lines([A | {"weight": 5}, B], [BOTH, other], apis), first)
    assert second.clusters["other"] is first.clusters["other"]
    assert api_at(second, b"/o") is api_at(first, b"/o")
    changed = second.clusters["both"]
    assert changed is not first.clusters["both"]
    assert [member.weight for member in changed.members] == [5, 1]
    assert api_at(second).nodes[0].cluster is changed
    # ... and back again, over a snapshot in which nothing of it was.
    third = build(lines([A, B], [BOTH, other], apis), build([], second))
    assert api_at(third).nodes[0].cluster is third.clusters["both"]


def test_a_name_that_moves_to_another_server_does_not_keep_the_old_one() -> None:
    first = build(lines([A, B], [BOTH], [ALL]))
    swapped = build(lines([A | {"address": B["address"]}, B | {"address": A["address"]}], [BOTH], [ALL]), first)
    ports = [member.endpoint.port for member in api_at(swapped).nodes[0].cluster.members]
    assert ports == [2, 1]


def test_an_unknown_kind_is_left_to_newer_workers() -> None:
    snapshot = build([*lines([A]), json.dumps(["plan", {"name": "x"}]).encode(), json.dumps(["plan", {}]).encode()])
    assert len(snapshot.compiled) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"{}",
        b'["server"]',
        b'["server",{}]',
        b'["cluster",{"name":"x","servers":["nobody"],"timeouts":{}}]',
        line("api", ALL),
        line("server", A).replace(b"127.0.0.1:1", b"127.0.0.1:x"),
    ],
)
def test_documents_that_cannot_be(content: bytes) -> None:
    with pytest.raises((KeyError, ValueError)):
        build([content])


def rules_at(snapshot: Snapshot, path: bytes = b"/") -> list[str]:
    return [way.rule.name for way in api_at(snapshot, path).nodes[0].ways]


def test_an_api_is_compiled_with_its_rules() -> None:
    other = ALL | {"name": "o", "path": "/o"}
    rules = [
        {"name": "every", "cluster": "both"},
        {"name": "first", "cluster": "both", "priority": 1},
        {"name": "of-o", "cluster": "both", "api": "o"},
        {"name": "off", "cluster": "both", "status": "down"},
        {"name": "node", "cluster": "both", "node": "user"},
    ]
    snapshot = build(lines([A, B], [BOTH], [ALL, other], rules))
    assert rules_at(snapshot) == ["first", "every"]
    assert rules_at(snapshot, b"/o") == ["first", "every", "of-o"]


def test_an_api_is_built_again_when_its_rules_have_changed() -> None:
    other = ALL | {"name": "o", "path": "/o"}
    rule = {"name": "r", "cluster": "both", "api": "o"}
    none = build(lines([A, B], [BOTH], [ALL, other]))
    one = build(lines([A, B], [BOTH], [ALL, other], [rule]), none)
    same = build(lines([A, B], [BOTH], [ALL, other], [rule]), one)
    changed = build(lines([A, B], [BOTH], [ALL, other], [rule | {"percent": 5}]), same)
    gone = build(lines([A, B], [BOTH], [ALL, other]), changed)
    assert [rules_at(each, b"/o") for each in (none, one, same, changed, gone)] == [[], ["r"], ["r"], ["r"], []]
    assert api_at(same, b"/o") is api_at(one, b"/o")
    assert api_at(changed, b"/o").nodes[0].ways[0].rule.percent == 5
    # What an unchanged rule leads to has changed.
    moved = build(lines([A | {"weight": 3}, B], [BOTH], [ALL, other], [rule]), one)
    assert api_at(moved, b"/o").nodes[0].ways[0].node.cluster is moved.clusters["both"]


def test_rules_that_come_too_late_are_not_ignored() -> None:
    builder = SnapshotBuilder(1, DEFAULTS, no_hooks)
    for item in lines([A, B], [BOTH], [ALL]):
        builder.add(item)
    with pytest.raises(ValueError, match="rules come before APIs"):
        builder.add(line("routing", {"name": "r", "cluster": "both"}, 5))


def test_an_old_snapshot_is_taken_apart_piece_by_piece_and_the_new_one_stays_whole() -> None:
    apis = [ALL, *({"name": f"a{n}", "path": path, "nodes": [{"cluster": "both"}]} for n, path in enumerate(PATHS))]
    old = build(lines([A, B], [BOTH], apis))
    new = build(lines([A, B], [BOTH], apis), old)
    pieces = len(list(take_apart(old)))
    assert pieces > len(apis) + len(PATHS)
    assert old.compiled == {}
    assert old.router.find(b"a", b"GET", b"/one/x") is None
    assert {api_at(new, path).name for path in (b"/exact", b"/one/x", b"/1/y", b"/on/z", b"/")} == {
        "a0",
        "a1",
        "a2",
        "a3",
        "all",
    }
