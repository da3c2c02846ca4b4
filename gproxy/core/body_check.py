"""Whether the JSON body of a request is what an API demands: of single fields, and by a schema as a whole.

An object must say each member once: of two that differ, a server might believe the other one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from gproxy.core.json_schema import Schema
from gproxy.core.validation import Check, Violation
from gproxy.core.variables import lookup

#: Of bodies up to this size a schema tells everything that is wrong, of larger ones the first thing: each problem
#: costs the library 20 us, in which nothing else happens in the process.
_ALL_TOLD_BYTES: Final = 2048


class BodyCheck:
    """The demands on a JSON body."""

    def __init__(self, checks: Sequence[Check], schemas: Sequence[Schema]) -> None:
        self._checks = checks
        self._schemas = schemas

    def missing(self) -> list[Violation]:
        """Return what is wrong when there is no body, although there could be one."""
        found = [violation for check in self._checks for violation in check.missing()]
        return [Violation("body", "", "is missing"), *found] if self._schemas else found

    def optional(self) -> list[Violation]:
        """Return what is wrong when there is no body, as requests of this kind usually have none."""
        return [violation for check in self._checks for violation in check.missing()]

    def violations(self, body: bytes) -> list[Violation]:
        """Return what is wrong with a body."""
        try:
            value = _parse(body)
            found = [violation for check in self._checks for violation in check.violations(_at(value, check.name))]
            for schema in self._schemas:
                if not schema.allows(value):
                    problems = schema.problems(value, len(body) <= _ALL_TOLD_BYTES)
                    found += [Violation("body", name, problem) for name, problem in problems]
        except RecursionError:
            return [Violation("body", "", "is nested too deeply")]
        except ValueError as error:
            return [Violation("body", "", str(error) if isinstance(error, _NotJson) else "is not valid JSON")]
        return found


class _NotJson(ValueError):
    """Python would take it for JSON; the text says why it is none."""


def _parse(body: bytes) -> Any:
    return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refused)


def _unique(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise _NotJson(f'has the member "{twice[:60]}" twice')
    return found


def _refused(name: str) -> NoReturn:
    raise _NotJson(f"is not valid JSON: {name} is no number")


def _at(value: Any, name: str) -> list[Any]:
    """Return the value of a field, where there is one: null says that there is none."""
    found = lookup(value, tuple(name.split(".")))
    return [] if found is None else [found]
