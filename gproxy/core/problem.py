"""What is wrong with a configuration, said to a human: a path and a sentence.

pydantic finds the problems; its wording is for programmers, so every kind of error that our models can raise
is said again here. `apis[all].nodes[0].cluster: there is no cluster "x"`.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

Location = tuple[int | str, ...]

#: How much of a wrong value is repeated to the user.
SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to correct: where it is and what is wrong."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def join(root: str, location: Iterable[int | str]) -> str:
    """Return the path of a part below `root`: names with dots, places in lists in brackets."""
    path = root
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def translated(error: ValidationError, root: str, known: Callable[[Location], Iterable[str]]) -> list[Problem]:
    """Return every problem that pydantic found in the object at `root`.

    `known` gives the field names allowed at a place, for a hint when a name is only misspelt.
    """
    problems = []
    for item in error.errors(include_url=False):
        location: Location = item["loc"]
        if item["type"] == "extra_forbidden":
            problems.append(unknown_field(root, location, known(location[:-1])))
            continue
        if item["type"] == "too_short" and item["input"]:
            continue  # pydantic counts the entries that are right; the wrong ones have their own problems
        # A wrong key of a mapping is reported at "key", "[key]"; the key alone says the same.
        path = join(root, [step for step in location if step != "[key]"])
        wanted = _WANTED.get(item["type"], item["msg"])
        problems.append(Problem(path, _sentence(item["type"], wanted, item.get("ctx", {}), item["input"])))
    return problems


def unknown_field(root: str, location: Location, known: Iterable[str]) -> Problem:
    """Return the problem of a field that is not known at its place."""
    name = str(location[-1])
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f", did you mean {close[0]}?" if close else ""
    return Problem(join(root, location), f"is not a known field{hint}")


def shown(value: object) -> str:
    """Return a value as a user wrote it, shortened."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


#: pydantic's kind of error -> what must be; completed with "not <the value>".
_WANTED: Final[dict[str, str]] = {
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode",
    "invalid_key": "must have text as field names",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "greater_than_equal": "must be at least {ge:.12g}",
    "less_than_equal": "must be at most {le:.12g}",
    "literal_error": "must be {expected}",
}


def _sentence(kind: str, wanted: str, context: Mapping[str, Any], value: object) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "too_short":
        return f"must have at least {context['min_length']} entry"
    if kind == "too_long":
        return f"must have at most {context['max_length']} entries, not {context['actual_length']}"
    if kind == "string_type" and isinstance(value, int | float):
        return f"must be text, not {shown(value)}: put it in quotes"
    context = {key: item.replace("'", "") if isinstance(item, str) else item for key, item in context.items()}
    return f"{wanted.format(**context)}, not {shown(value)}"
