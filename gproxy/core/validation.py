"""What an API demands of single values of a request: in the query, a form, the header, the path or the body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from gproxy.core.errors import GatewayError
from gproxy.core.regex import Regex
from gproxy.core.variables import as_text

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_WANTED: Final = {
    "string": "must be text",
    "integer": "must be a whole number",
    "number": "must be a number",
    "boolean": "must be true or false",
    "array": "must be a list",
    "object": "must be an object",
}


class Violation(NamedTuple):
    """What is wrong with one value: `place` is where it was looked for."""

    place: str
    name: str
    problem: str


class ValidationFailed(GatewayError):
    """The request is not what the API demands; the document lists every violation."""

    status, code, refused_by = 400, "validation_failed", "validation"

    def __init__(self, violations: list[Violation]) -> None:
        first = violations[0]
        said = " ".join(part for part in (first.place, first.name, first.problem) if part)
        super().__init__("The request is not valid.", said if len(violations) == 1 else f"{said}, and more")
        self.extra["violations"] = [
            {"in": violation.place, "name": violation.name, "problem": violation.problem} for violation in violations
        ]


class Check:
    """The demands on one value."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.place: str = document["in"]
        self.name: str = document["name"]
        self._is_required: bool = document["required"]
        self._type: str | None = document["type"]
        self._tests = list(_tests(document))

    def violations(self, values: list[Any]) -> list[Violation]:
        """Return what is wrong with the values of the name, in JSON or (elsewhere than in a body) as text."""
        if not values:
            return [Violation(self.place, self.name, "is missing")] if self._is_required else []
        problems = dict.fromkeys(problem for value in values if (problem := self._problem(value)) is not None)
        return [Violation(self.place, self.name, problem) for problem in problems]

    def missing(self) -> list[Violation]:
        """Return what is wrong when there is no value."""
        return self.violations([])

    def _problem(self, value: Any) -> str | None:
        if self._type is not None:
            value = _typed(value, self._type) if self.place != "body" else value
            is_right = isinstance(value, _TYPES[self._type]) and (self._type == "boolean") is isinstance(value, bool)
            if not is_right and not (self._type == "integer" and isinstance(value, float) and value.is_integer()):
                return _WANTED[self._type]
        return next((problem for test in self._tests if (problem := test(value)) is not None), None)


def _typed(text: str, wanted: str) -> Any:
    """Return what a text stands for if it is of the wanted type, else the text."""
    if wanted == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if wanted == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if wanted == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _tests(document: Mapping[str, Any]) -> list[Callable[[Any], str | None]]:
    """Return the tests of a value that is of the right type: each returns the problem, if there is one."""
    found: list[Callable[[Any], str | None]] = []
    for field, test in _MAKERS.items():
        if document[field] is not None:
            found.append(test(document[field]))
    return found


def _pattern(text: str) -> Callable[[Any], str | None]:
    regex = Regex.compile(text)

    def test(value: Any) -> str | None:
        written = as_text(value)
        return None if written is not None and regex.search(written) else f"must match {text}"

    return test


def _minimum(least: float) -> Callable[[Any], str | None]:
    return lambda value: f"must be at least {least:g}" if value < least else None


def _maximum(most: float) -> Callable[[Any], str | None]:
    return lambda value: f"must be at most {most:g}" if value > most else None


def _min_length(least: int) -> Callable[[Any], str | None]:
    return lambda value: f"must have at least {least} {_units(value)}" if _length(value) < least else None


def _max_length(most: int) -> Callable[[Any], str | None]:
    return lambda value: f"must have at most {most} {_units(value)}" if _length(value) > most else None


def _enum(allowed: list[Any]) -> Callable[[Any], str | None]:
    listed = ", ".join(item if isinstance(item, str) else json.dumps(item) for item in allowed)
    return lambda value: None if any(_is_same(value, item) for item in allowed) else f"must be one of {listed}"


def _is_same(value: Any, other: Any) -> bool:
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


_MAKERS: Final[Mapping[str, Callable[[Any], Callable[[Any], str | None]]]] = {
    "enum": _enum,
    "min_length": _min_length,
    "max_length": _max_length,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
}


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list) else len(as_text(value) or b"")


def _units(value: Any) -> str:
    return "entries" if isinstance(value, list) else "characters"
