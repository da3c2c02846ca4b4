from typing import Any

import pytest

from gproxy.core.model import MODELS, compact, field_names, normalised
from tests.core.model.entities import API, problem_of


def test_every_default() -> None:
    made = MODELS["api"].model_validate({**API, "validation": [{"in": "query", "name": "page"}]})
    (demand,) = normalised(made)["validation"]
    assert demand == {
        "in": "query",
        "name": "page",
        "required": False,
        "type": None,
        "pattern": None,
        "minimum": None,
        "maximum": None,
        "min_length": None,
        "max_length": None,
        "enum": None,
        "schema": None,
    }
    assert compact(made)["validation"] == [{"in": "query", "name": "page"}]
    assert MODELS["api"].model_validate(normalised(made)) == made
    assert field_names("api", ("validation", 0))[:2] == ["in", "name"]
    assert "schema" in field_names("api", ("validation", 0))


def test_a_schema_stands_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, None, "x"]}}}
    made = MODELS["api"].model_validate({**API, "validation": [{"in": "body", "schema": schema}]})
    assert compact(made)["validation"] == [{"in": "body", "schema": schema}]


@pytest.mark.parametrize(
    ("demand", "reason"),
    [
        ({"name": "x"}, "validation.0.in"),
        ({"in": "query"}, "name is missing"),
        ({"in": "trailer", "name": "x"}, "query"),
        ({"in": "query", "name": "x", "type": "text"}, "string"),
        ({"in": "query", "name": "x", "type": "object"}, "only a body has one"),
        ({"in": "header", "name": "a b"}, "not the name of a header"),
        ({"in": "cookie", "name": "a;b"}, "not the name of a cookie"),
        ({"in": "query", "name": "x", "pattern": "("}, "not a regular expression of RE2"),
        ({"in": "query", "name": "x", "pattern": "a", "type": "integer"}, "type is not string"),
        ({"in": "query", "name": "x", "minimum": 1}, "type is not integer or number"),
        ({"in": "query", "name": "x", "type": "integer", "max_length": 1}, "type is not string or array"),
        ({"in": "query", "name": "x", "enum": []}, "at least 1"),
        ({"in": "query", "name": "x", "enum": [1]}, "not of the type"),
        ({"in": "query", "name": "x", "type": "integer", "enum": ["1"]}, "not of the type"),
        ({"in": "path", "name": "id"}, "/* has no variable id"),
        ({"in": "query", "schema": {}}, "a schema is in body"),
        ({"in": "body", "schema": {}, "required": True}, "no other field"),
        ({"in": "body", "schema": {"type": "text"}}, "not a JSON Schema"),
        ({"in": "body", "schema": {"$ref": "https://example.com/x"}}, "not a JSON Schema"),
        ({"in": "body", "schema": []}, "dictionary"),
    ],
)
def test_refused(demand: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**API, "validation": [demand]})
