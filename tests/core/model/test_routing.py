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
        "expires_at": None,
        "status": "up",
    }
    assert compact(made) == ROUTING


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
        ({"priority": 1_000_001}, "less than or equal"),
    ],
)
def test_refused(fields: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("routing", {**ROUTING, **fields})
