import json
from typing import Any

from hypothesis import given

from gproxy.core.model import MODELS, compact, field_names, normalised
from tests.core import documents
from tests.core.model.entities import SERVER


def test_compact_holds_only_what_is_not_a_default() -> None:
    explicit = {**SERVER, "weight": 1, "tls": {"verify": True}, "backup": True}
    assert compact(MODELS["server"].model_validate(explicit)) == {**SERVER, "backup": True}


def test_field_names_of_parts() -> None:
    assert field_names("server", ("tls",))[0] == "verify"
    assert field_names("server", ("health_check",))[0] == "type"
    assert field_names("api", ("circuit_breaker",))[0] == "consecutive_failures"
    assert field_names("api", ("nodes", 0))[:3] == ["cluster", "attr", "batch"]
    assert field_names("api", ("merge",)) == ["on_failure", "flatten", "group"]
    assert field_names("api", ("request_headers",)) == ["set", "add", "remove"]


@given(documents.servers())
def test_both_forms_mean_the_same(document: dict[str, Any]) -> None:
    entity = MODELS["server"].model_validate(document)
    for form in (normalised(entity), compact(entity)):
        assert MODELS["server"].model_validate(form) == entity
        assert json.loads(json.dumps(form)) == form
