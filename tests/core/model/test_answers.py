from typing import Any

import pytest

from gproxy.core.model import MODELS, compact
from tests.core.model.entities import API, problem_of

ALONE = {"name": "all", "path": "/a/*"}
ANSWER = {"status": 200, "headers": {"X-A": "1"}, "body": {"items": [1, None, "x"]}}


@pytest.mark.parametrize(
    "document",
    [
        {**API, "default_response": {}},
        {**ALONE, "default_response": ANSWER, "mock": True},
        {**API, "default_response": {"status": 204}, "mock": True},
        {**ALONE, "redirect": {"location": "/b/{*}"}},
        {**API, "redirect": {"location": "https://b.example/{*}", "status": 307}},
    ],
)
def test_accepted(document: dict[str, Any]) -> None:
    entity = MODELS["api"].model_validate(document)
    assert MODELS["api"].model_validate(compact(entity)) == entity


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mock": True}, "there is no default_response"),
        ({"mock": True, "default_response": {}, "redirect": {"location": "/"}}, "two answers"),
        ({"default_response": {"status": 600}}, "less than or equal to 599"),
        ({"default_response": {"status": 101}}, "greater than or equal to 200"),
        ({"default_response": {"status": 204, "body": "x"}}, "has none"),
        ({"default_response": {"headers": {"Content-Length": "1"}}}, "belongs to the connection"),
        ({"default_response": {"body": {1, 2}}}, "JSON"),
        ({"redirect": {"location": "/{path.x}"}}, "redirect.location\n  /a/* has no variable x"),
        ({"redirect": {"location": "https://{path.x}.example.com"}}, "redirect.location\n  /a/* has no variable x"),
        ({"redirect": {"location": "b"}}, "must begin with one /"),
        ({"redirect": {"location": "/", "status": 300}}, "301, 302, 303, 307 or 308"),
        ({}, "nodes is missing"),
        ({"default_response": {}}, "nodes is missing"),
    ],
)
def test_refused(fields: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**ALONE, **fields})
