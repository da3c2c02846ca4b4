from typing import Any

import pytest

from gproxy.core.validation import Check, ValidationFailed, Violation

NONE = {
    "name": "x",
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


def problems(value: Any, place: str = "query", **fields: Any) -> list[str]:
    check = Check({**NONE, "in": place, **fields})
    return [violation.problem for violation in check.violations([value])]


@pytest.mark.parametrize(
    ("fields", "good", "bad", "problem"),
    [
        (
            {"type": "integer"},
            ["0", "-7", "+7", "9" * 18],
            ["", "1.0", "0x1", "1_0", "٣", "9" * 19, " 1"],
            "whole number",
        ),
        ({"type": "number"}, ["1", "-1.5", "1e3"], ["", ".", "nan", "inf", "1,5", "1e9999"], "must be a number"),
        ({"type": "boolean"}, ["true", "false"], ["", "True", "1"], "must be true or false"),
        ({"type": "string"}, ["", "x"], [], ""),
        ({"pattern": "^[a-z]+$"}, ["abc"], ["", "a1", "\udcff"], "must match ^[a-z]+$"),
        ({"type": "integer", "minimum": 1}, ["1", "99"], ["0", "-1"], "must be at least 1"),
        ({"type": "number", "maximum": 1.5}, ["1.5", "-9"], ["1.6"], "must be at most 1.5"),
        ({"min_length": 2}, ["ab", "éé"], ["", "a", "é"], "must have at least 2 characters"),
        ({"max_length": 2}, ["", "ab", "éé"], ["abc"], "must have at most 2 characters"),
        ({"enum": ["a", "b"]}, ["a", "b"], ["", "A", "c"], "must be one of a, b"),
        ({"type": "integer", "enum": [1, 2]}, ["1", "2"], ["3"], "must be one of 1, 2"),
    ],
)
def test_values_as_text(fields: dict[str, Any], good: list[str], bad: list[str], problem: str) -> None:
    for value in good:
        assert problems(value, **fields) == [], value
    for value in bad:
        (found,) = problems(value, **fields)
        assert problem in found, value


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"type": "integer"}, [0, -7, 1.0], ["1", 1.5, True, [], {}]),
        ({"type": "number"}, [0, 1.5], ["1", False]),
        ({"type": "boolean"}, [True, False], [1, "true"]),
        ({"type": "string"}, ["", "x"], [1, True, []]),
        ({"type": "array"}, [[], [1]], [{}, "[]"]),
        ({"type": "object"}, [{}, {"a": 1}], [[], "{}"]),
        ({"type": "array", "max_length": 1}, [[], [1]], [[1, 2]]),
        ({"enum": [1, "a", None, [1]]}, [1, 1.0, "a", [1]], [True, "1", [2]]),
        ({"type": "string", "pattern": "a"}, ["cat"], ["dog"]),
    ],
)
def test_values_in_a_body(fields: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert problems(value, "body", **fields) == [], value
    for value in bad:
        assert len(problems(value, "body", **fields)) == 1, value


def test_a_text_that_is_too_long_for_a_pattern_does_not_match() -> None:
    assert problems("a" * 10_000_000, pattern="^(a+)+$") == ["must match ^(a+)+$"]


def test_missing_values() -> None:
    assert Check({**NONE, "in": "query", "required": True}).missing() == [Violation("query", "x", "is missing")]
    assert Check({**NONE, "in": "query"}).missing() == []


def test_every_value_of_a_name_is_looked_at() -> None:
    check = Check({**NONE, "in": "query", "type": "integer", "minimum": 1})
    found = check.violations(["1", "x", "0", "y"])
    assert [violation.problem for violation in found] == ["must be a whole number", "must be at least 1"]


def test_the_document_lists_every_violation() -> None:
    error = ValidationFailed([Violation("query", "page", "is missing"), Violation("body", "", "is not valid JSON")])
    assert (error.status, error.code, error.reason) == (400, "validation_failed", "query page is missing, and more")
    assert error.extra["violations"] == [
        {"in": "query", "name": "page", "problem": "is missing"},
        {"in": "body", "name": "", "problem": "is not valid JSON"},
    ]
