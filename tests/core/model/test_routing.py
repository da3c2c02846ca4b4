from typing import Any

import pytest

from gproxy.core.model import MODELS, compact, normalised
from tests.core.model.entities import problem_of

ROUTING = {"name": "beta", "cluster": "users-v2"}


def test_a_rule_with_every_default() -> None:
    made = MODELS["routing"].model_validate(ROUTING)
    assert normalised(made) == {
        "name": "beta",
        "priority": 0,
        "api": None,
        "node": None,
        "path": None,
        "when": {"all": [], "any": []},
        "cluster": "users-v2",
        "percent": 100.0,
        "sticky": None,
        "action": "split",
        "timeout_s": 5.0,
        "max_body_bytes": 65_536,
        "compare": None,
        "expires_at": None,
        "status": "up",
    }
    assert compact(made) == ROUTING


def test_a_mirror_says_how_it_copies() -> None:
    document = {**ROUTING, "action": "mirror", "timeout_s": 1.0, "compare": {"ignore": ["a.*.b"]}}
    assert compact(MODELS["routing"].model_validate(document)) == document


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"path": "x"}, "a path begins with /"),
        ({"when": {"all": ["$cookie_a"]}}, "is not an expression"),
        ({"when": {"any": ["$cookie_a == b", "$cookie_a == b"]}}, "listed twice"),
        ({"when": {"none": []}}, "Extra inputs"),
        ({"percent": 101}, "less than or equal to 100"),
        ({"sticky": "cookie"}, "must name a cookie"),
        ({"sticky": "body:x"}, "must be client_ip"),
        ({"expires_at": "soon"}, "must be a moment"),
        ({"action": "drop"}, "split"),
        ({"compare": {}}, "compare is given, but action is split"),
        ({"timeout_s": 1}, "timeout_s is given, but action is split"),
        ({"action": "mirror", "timeout_s": 0}, "greater than 0"),
        ({"action": "mirror", "max_body_bytes": 2_000_000}, "less than or equal to 1048576"),
        ({"action": "mirror", "compare": {"ignore": ["a..b"]}}, "is not a path"),
        ({"action": "mirror", "compare": {"headers": ["a b"]}}, "is not a header name"),
        ({"priority": 1_000_001}, "less than or equal"),
    ],
)
def test_refused(fields: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("routing", {**ROUTING, **fields})
