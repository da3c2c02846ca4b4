import json
from typing import Any

import pytest

from gproxy.core.body_check import BodyCheck
from gproxy.core.json_schema import Schema
from gproxy.core.validation import Check, Violation
from tests.core.test_validation import NONE

ID = Check({**NONE, "in": "body", "name": "user.id", "type": "integer", "required": True})
SCHEMA = Schema.compile({"type": "object", "properties": {"items": {"type": "array", "items": {"type": "string"}}}})


def told(body: bytes, *checks: Check, schema: Schema | None = None) -> list[tuple[str, str]]:
    found = BodyCheck(checks, [schema] if schema else []).violations(body)
    assert all(violation.place == "body" for violation in found)
    return [(violation.name, violation.problem) for violation in found]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"user": {"id": 7}}, None),
        ({"user": {"id": "7"}}, "must be a whole number"),
        ({"user": {"id": None}}, "is missing"),
        ({"user": {}}, "is missing"),
        ({"user": [7]}, "is missing"),
        ([], "is missing"),
    ],
)
def test_fields_have_paths(value: Any, problem: str | None) -> None:
    assert told(json.dumps(value).encode(), ID) == ([] if problem is None else [("user.id", problem)])


def test_a_schema_tells_all_that_is_wrong_with_small_bodies() -> None:
    assert told(b'{"items": [1, "a", 2]}', ID, schema=SCHEMA) == [
        ("user.id", "is missing"),
        ("items.0", '1 is not of type "string"'),
        ("items.2", '2 is not of type "string"'),
    ]
    large = json.dumps({"items": [1] * 1000}).encode()
    assert told(large, schema=SCHEMA) == [("items.0", '1 is not of type "string"')]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "is not valid JSON"),
        (b'{"a": 1} x', "is not valid JSON"),
        (b'{"a": "\xff"}', "is not valid JSON"),
        (b'{"a": NaN}', "is not valid JSON: NaN is no number"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'has the member "c" twice'),
        (b'{"user": 1, "\\u0075ser": 2}', 'has the member "user" twice'),
        (b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
        (b"9" * 5000, "is not valid JSON"),
    ],
)
def test_what_is_no_json(body: bytes, problem: str) -> None:
    assert told(body, ID, schema=SCHEMA) == [("", problem)]


def test_no_body() -> None:
    check = BodyCheck([ID], [SCHEMA])
    missing = Violation("body", "user.id", "is missing")
    assert check.optional() == [missing]
    assert check.missing() == [Violation("body", "", "is missing"), missing]
    assert BodyCheck([], [SCHEMA]).optional() == []
