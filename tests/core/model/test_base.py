import json

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import API


def test_equal_meaning_has_one_form() -> None:
    one = {**API, "methods": ["get"], "response_headers": {"set": {"B": "2", "A": "1"}}}
    two = {**API, "methods": ["GET"], "response_headers": {"set": {"A": "1", "B": "2"}, "remove": []}}
    forms = {json.dumps(normalised(MODELS["api"].model_validate(item))) for item in (one, two)}
    assert len(forms) == 1
