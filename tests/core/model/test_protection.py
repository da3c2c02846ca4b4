import json
from typing import Any

import pytest

from gproxy.core.model import MODELS, compact, normalised
from tests.core.model.entities import API, SERVER, checked, guarded, problem_of


def test_limits_with_every_default() -> None:
    document = normalised(MODELS["api"].model_validate({**API, "rate_limit": {"rate": 5}}))["rate_limit"]
    assert document == {"rate": 5, "per_s": 1, "burst": 0, "key": "none", "status": 429, "scope": "node"}
    document = normalised(MODELS["server"].model_validate({**SERVER, "max_connections": 1, "queue": {}}))["queue"]
    assert document == {"size": 100, "timeout_s": 1}


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        ("server", {"burst": 5}, "burst is given, but max_qps is 0"),
        ("server", {"queue": {}}, "queue is given, but max_connections is 0"),
        ("server", {"max_qps": -1}, "greater than or equal to 0"),
        ("api", {"queue": {}}, "queue is given, but max_concurrency is 0"),
        ("api", {"rate_limit": {}}, "rate_limit.rate"),
        ("api", {"rate_limit": {"rate": 0}}, "greater than or equal to 1"),
        ("api", {"rate_limit": {"rate": 1, "key": "path"}}, "must be none, client_ip, consumer, header:NAME"),
        ("api", {"rate_limit": {"rate": 1, "key": "header:"}}, "must name a header"),
        ("api", {"rate_limit": {"rate": 1, "key": "header:a b"}}, "must name a header"),
        ("api", {"rate_limit": {"rate": 1, "status": 200}}, "must be a registered status from 400 to 599, not 200"),
        ("api", {"rate_limit": {"rate": 1, "status": 499}}, "must be a registered status from 400 to 599, not 499"),
        (
            "api",
            {"rate_limit": {"rate": 1, "per_s": 86400, "burst": 367}},
            "burst is more than the rate gives in a year",
        ),
        ("api", {"rate_limit": {"rate": 1, "scope": "world"}}, "Input should be 'node' or 'cluster'"),
        ("api", {"circuit_breaker": {"share": "cluster"}}, "only circuits of servers can be shared by nodes"),
        ("server", {"circuit_breaker": {"quorum": 0}}, "greater than or equal to 1"),
    ],
)
def test_limits_that_cannot_be(kind: str, fields: dict[str, Any], sentence: str) -> None:
    assert sentence in problem_of(kind, {**(SERVER if kind == "server" else API), **fields})


def test_a_health_check_with_every_default() -> None:
    document = normalised(MODELS["server"].model_validate({**SERVER, "health_check": {}}))["health_check"]
    assert document == {
        "type": "http",
        "path": "/",
        "method": "GET",
        "headers": {},
        "expect_status": "200",
        "expect_body": "",
        "interval_s": 5,
        "timeout_s": 3,
        "rise": 2,
        "fall": 3,
    }
    explicit = {**SERVER, "health_check": {"interval_s": 5, "timeout_s": 3}}
    assert json.dumps(normalised(MODELS["server"].model_validate(explicit))["health_check"]) == json.dumps(document)
    assert compact(MODELS["server"].model_validate(explicit))["health_check"] == {}


def test_a_circuit_breaker_with_every_default() -> None:
    document = normalised(MODELS["api"].model_validate({**API, "circuit_breaker": {}}))["circuit_breaker"]
    assert document == {
        "consecutive_failures": 5,
        "failure_percent": 0,
        "min_requests": 20,
        "window_s": 10,
        "slow_s": 0,
        "slow_percent": 0,
        "open_s": 10,
        "max_open_s": 300,
        "half_open_percent": 10,
        "half_open_successes": 5,
        "failure_statuses": "500-599",
        "max_ejected_percent": 100,
        "share": "node",
        "quorum": 2,
    }


def test_a_retry_with_every_default() -> None:
    document = normalised(MODELS["cluster"].model_validate({"name": "c", "retry": {}}))["retry"]
    assert document == {
        "attempts": 2,
        "per_try_timeout_s": 0,
        "statuses": "",
        "methods": "idempotent",
        "backoff_ms": 25,
        "report": False,
    }
    given = {"name": "c", "retry": {"methods": "get, post"}}
    assert normalised(MODELS["cluster"].model_validate(given))["retry"]["methods"] == "GET,POST"


def test_off_may_be_what_yaml_makes_of_it() -> None:
    server = MODELS["server"].model_validate({**SERVER, "health_check": {"type": False}})
    assert compact(server)["health_check"] == {"type": "off"}


@pytest.mark.parametrize(
    ("kind", "document", "reason"),
    [
        ("server", checked(type="ping"), "tcp"),
        ("server", checked(type="tcp", path="/up"), "path is given, but type is tcp"),
        ("cluster", {"name": "c", "health_check": {"type": "off", "headers": {"A": "1"}}}, "headers is given"),
        ("server", checked(path="up"), "absolute path"),
        ("server", checked(path="//host/up"), "absolute path"),
        ("server", checked(path="/a b"), "absolute path"),
        ("server", checked(path="/a\r\nX: 1"), "absolute path"),
        ("server", checked(method="CONNECT"), "not proxied"),
        ("server", checked(headers={"Content-Length": "1"}), "belongs to the connection"),
        ("server", checked(headers={"A": "1", "a": "2"}), "listed twice"),
        ("server", checked(expect_status=""), "at least one status"),
        ("server", checked(expect_status="2xx"), "statuses and ranges"),
        ("server", checked(expect_body="~("), "not a regular expression of RE2"),
        ("server", checked(method="HEAD", expect_body="OK"), "has no body"),
        ("server", checked(interval_s=0), "greater than or equal to 0.1"),
        ("server", checked(timeout_s=0), "greater than or equal to 0.05"),
        ("server", checked(rise=0), "greater than or equal to 1"),
        ("server", checked(fall=1001), "less than or equal to 1000"),
        ("api", {**API, "retry": {"attempts": 0}}, "greater than or equal to 1"),
        ("api", {**API, "retry": {"statuses": "5xx"}}, "statuses and ranges"),
        ("api", {**API, "retry": {"methods": ""}}, "not an HTTP method"),
        ("api", {**API, "retry": {"methods": "GET,get"}}, "listed twice"),
        ("server", guarded(consecutive_failures=0), "never opens"),
        ("server", guarded(slow_s=1), "go together"),
        ("server", guarded(slow_percent=50), "go together"),
        ("server", guarded(failure_percent=101), "less than or equal to 100"),
        ("server", guarded(half_open_percent=0), "greater than or equal to 0.1"),
        ("server", guarded(open_s=0), "greater than or equal to 0.05"),
        ("server", guarded(open_s=10, max_open_s=5), "less than open_s"),
        ("server", guarded(failure_statuses="5xx"), "statuses and ranges"),
        ("server", guarded(share="world"), "node"),
    ],
)
def test_refused(kind: str, document: dict[str, Any], reason: str) -> None:
    assert reason in problem_of(kind, document)
