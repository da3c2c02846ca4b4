from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import API, problem_of


def test_with_every_default() -> None:
    document = normalised(MODELS["api"].model_validate({**API, "upgrade": {}}))["upgrade"]
    assert document == {"protocols": ["websocket"], "idle_s": 300, "total_s": 0, "drain_s": 5}


@pytest.mark.parametrize(
    ("upgrade", "reason"),
    [
        ({"protocols": []}, "at least 1"),
        ({"protocols": ["a b"]}, "is not a protocol"),
        ({"protocols": ["a/b/c"]}, "is not a protocol"),
        ({"protocols": ["h2c"]}, "not tunnelled"),
        ({"protocols": ["HTTP/2.0"]}, "not tunnelled"),
        ({"protocols": ["WebSocket", "websocket"]}, "listed twice"),
        ({"idle_s": -1}, "greater than or equal to 0"),
        ({"drain_s": 3601}, "less than or equal to 3600"),
    ],
)
def test_refused(upgrade: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**API, "upgrade": upgrade})
