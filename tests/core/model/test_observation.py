from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import API, problem_of


def test_with_every_default() -> None:
    document = normalised(MODELS["api"].model_validate({**API, "access_log": {}}))
    assert document["access_log"] == {"percent": 100, "errors": True}


@pytest.mark.parametrize(
    ("access_log", "reason"),
    [
        ({"percent": 101}, "less than or equal to 100"),
        ({"percent": -1}, "greater than or equal to 0"),
        ({"errors": "yes"}, "valid boolean"),
        (True, "valid dictionary"),
    ],
)
def test_refused(access_log: Any, reason: str) -> None:
    assert reason in problem_of("api", {**API, "access_log": access_log})
