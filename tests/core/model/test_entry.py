from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import API, problem_of


def test_networks_have_one_spelling() -> None:
    access = {"allow": ["10.0.0.1", "2001:DB8::/32"], "deny": ["10.0.0.0/8"]}
    made = normalised(MODELS["api"].model_validate({**API, "access": access}))
    assert made["access"] == {"allow": ["10.0.0.1/32", "2001:db8::/32"], "deny": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        ({"allow": ["10.0.0.1/8"]}, "is an address within 10.0.0.0/8"),
        ({"allow": ["10.0.0.256"]}, "neither an address nor a network"),
        ({"deny": ["localhost"]}, "neither an address nor a network"),
        ({"allow": ["10.0.0.1", "10.0.0.1/32"]}, "listed twice"),
        ({"allow": ["10.0.0.1"], "deny": ["10.0.0.1/32"]}, "both allowed and denied"),
    ],
)
def test_refused(access: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**API, "access": access})
