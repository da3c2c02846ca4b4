from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from gproxy.core.model.compress import TYPES
from tests.core.model.entities import API, problem_of


def test_with_every_default() -> None:
    document = normalised(MODELS["api"].model_validate({**API, "compress": {}}))["compress"]
    assert document == {"encodings": ["br", "gzip"], "level": 5, "min_bytes": 1024, "types": list(TYPES)}


@pytest.mark.parametrize(
    ("compress", "reason"),
    [
        ({"encodings": []}, "at least 1"),
        ({"encodings": ["zstd"]}, "'br' or 'gzip'"),
        ({"encodings": ["br", "br"]}, "listed twice"),
        ({"level": 0}, "greater than or equal to 1"),
        ({"level": 10}, "less than or equal to 9"),
        ({"min_bytes": -1}, "greater than or equal to 0"),
        ({"types": ["text"]}, "is not a media type"),
        ({"types": ["text/html; charset=x"]}, "is not a media type"),
        ({"types": []}, "at least 1"),
    ],
)
def test_refused(compress: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**API, "compress": compress})
