from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import API, problem_of


def test_every_default() -> None:
    made = normalised(MODELS["api"].model_validate({**API, "cors": {"origins": ["HTTPS://A.example"]}}))
    assert made["cors"] == {
        "origins": ["https://a.example"],
        "methods": [],
        "headers": ["*"],
        "expose": [],
        "credentials": False,
        "max_age_s": 0,
    }


@pytest.mark.parametrize(
    ("cors", "reason"),
    [
        ({}, "origins"),
        ({"origins": []}, "at least 1"),
        ({"origins": ["a.example"]}, "has no scheme: write https://a.example"),
        ({"origins": ["https://a.example", "https://A.example"]}, "listed twice"),
        ({"origins": ["*"], "credentials": True}, "every origin must be named"),
        ({"origins": ["https://a.example"], "credentials": True, "expose": ["*"]}, "name the fields"),
        ({"origins": ["*"], "methods": ["a b"]}, "not an HTTP method"),
        ({"origins": ["*"], "headers": ["X: 1"]}, "not a header name"),
        ({"origins": ["*"], "max_age_s": -1}, "greater than or equal to 0"),
    ],
)
def test_refused(cors: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**API, "cors": cors})
