from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import SERVER, problem_of


def test_a_server_with_every_default() -> None:
    document = normalised(MODELS["server"].model_validate(SERVER))
    assert document == {
        "name": "u1",
        "address": "127.0.0.1:9001",
        "scheme": "http",
        "weight": 1,
        "status": "up",
        "backup": False,
        "slow_start_s": 0,
        "max_qps": 0,
        "burst": 0,
        "max_connections": 0,
        "queue": None,
        "health_check": None,
        "circuit_breaker": None,
        "tls": {
            "verify": True,
            "server_name": None,
            "ca_file": None,
            "cert_file": None,
            "key_file": None,
        },
    }
    assert next(iter(document)) == "name", "readers rely on a fixed order of keys"


def test_a_cluster_with_every_default() -> None:
    assert normalised(MODELS["cluster"].model_validate({"name": "users"})) == {
        "name": "users",
        "servers": [],
        "url_pattern": None,
        "load_balance": "round_robin",
        "hash_on": None,
        "sticky_cookie": None,
        "health_check": None,
        "circuit_breaker": None,
        "retry": None,
        "timeouts": {"connect_s": None, "response_s": None, "total_s": None},
    }


@pytest.mark.parametrize(
    ("kind", "document", "reason"),
    [
        ("server", {**SERVER, "weight": 1001}, "1000"),
        ("server", {**SERVER, "weight": "1"}, "integer"),
        ("server", {**SERVER, "weight": True}, "integer"),
        ("server", {**SERVER, "backup": 1}, "boolean"),
        ("cluster", {"name": "c", "timeouts": {"total_s": float("nan")}}, "finite"),
        ("server", {**SERVER, "tls": {"verify": False}}, "scheme is http"),
        ("server", {**SERVER, "slow_start_s": -1}, "greater than or equal to 0"),
        ("cluster", {"name": "c", "load_balance": "consistent_hash"}, "hash_on is missing"),
        ("cluster", {"name": "c", "hash_on": "path"}, "load_balance is round_robin"),
        ("cluster", {"name": "c", "load_balance": "consistent_hash", "hash_on": "ip"}, "must be client_ip"),
        ("cluster", {"name": "c", "sticky_cookie": "a b"}, "not a cookie name"),
        ("cluster", {"name": "c", "sticky_cookie": ""}, "not a cookie name"),
        ("server", {**SERVER, "scheme": "https", "tls": {"cert_file": "/a"}}, "go together"),
        ("cluster", {"name": "c", "servers": ["a", "a"]}, "listed twice"),
    ],
)
def test_refused(kind: str, document: dict[str, Any], reason: str) -> None:
    assert reason in problem_of(kind, document)
