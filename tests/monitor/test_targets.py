from typing import Any

from gproxy.core.backends import Endpoint
from gproxy.monitor.targets import Target, targets
from tests.core.snapshot_lines import lines

A: dict[str, Any] = {"name": "a", "address": "127.0.0.1:1"}
B: dict[str, Any] = {"name": "b", "address": "127.0.0.1:2"}
TCP = {"type": "tcp"}
ALL = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}


def found(servers: list[dict[str, Any]], *checks: dict[str, Any] | None) -> dict[str, Target]:
    """Return the targets among `servers`, which all are in a cluster per given check."""
    names = [server["name"] for server in servers]
    clusters = [{"name": f"c{n}", "servers": names, "health_check": check} for n, check in enumerate(checks)]
    return targets(lines(servers, clusters, [ALL]))


def test_who_is_checked() -> None:
    assert found([A, B], None) == {}
    assert list(found([A, B], TCP)) == ["a", "b"]
    assert list(found([A, B | {"health_check": TCP}], None)) == ["b"]
    assert list(found([A, B | {"health_check": {"type": "off"}}], TCP)) == ["a"]
    assert list(found([A, B], {"type": "off"})) == []
    assert list(found([A, B], None, TCP)) == list(found([A, B], TCP, None)) == ["a", "b"]
    assert list(found([A | {"health_check": TCP}])) == ["a"]


def test_who_is_left_in_peace() -> None:
    assert list(found([A | {"status": "down"}, B | {"status": "drain"}], TCP)) == ["b"]


def test_a_servers_own_check_comes_first() -> None:
    own = found([A, B | {"health_check": {"path": "/b", "rise": 7}}], {"path": "/c", "fall": 9})
    assert own["a"].document["path"] == "/c"
    assert own["a"].check.pace.fall == 9
    assert own["b"].check.http is not None
    assert own["b"].check.http.request.startswith(b"GET /b HTTP/1.1\r\nHost: 127.0.0.1:2\r\n")
    assert (own["b"].check.pace.rise, own["b"].check.pace.fall) == (7, 3)


def test_where_a_server_is_and_whose_its_health_is() -> None:
    one = found([A, B], TCP)["b"]
    assert (one.row, one.endpoint) == (1, Endpoint("127.0.0.1", 2, "", None))
    moved = found([A, B | {"address": "127.0.0.1:3"}], TCP)["b"]
    assert moved.identity != one.identity
    assert found([A, B | {"weight": 5}], {"type": "http"})["b"].identity == one.identity
