"""Which fields a document has and how each is entered: read from the JSON Schema of its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, Final

from gproxy.core.model import MODELS
from gproxy.core.references import REFERENCES

Schema = Mapping[str, Any]


class Widget(Enum):
    """How a field is entered."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    MAYBE = "maybe"  # yes, no, or whatever follows from the rest
    CHOICE = "choice"
    NAMES = "names"  # a list of texts, one per line
    PAIRS = "pairs"  # texts by name
    PART = "part"  # fields of its own, always there
    OPTION = "option"  # fields of its own, or nothing
    PARTS = "parts"  # a list of those
    JSON = "json"  # anything else


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `part` are the fields within it. `refers_to` is the kind of object that it names."""

    name: str
    widget: Widget
    is_required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    is_whole: bool = False
    least: float | None = None
    most: float | None = None
    most_entries: int | None = None
    doc: str = ""
    refers_to: str = ""
    part: tuple["Field", ...] = field(default=())


@cache
def spec(kind: str) -> tuple[Field, ...]:
    """Return the fields of a kind of document, in the order of its model."""
    schema = MODELS[kind].model_json_schema()
    return _fields(schema, schema.get("$defs", {}), REFERENCES.get(kind, {}), "")


def _fields(schema: Schema, named: Schema, refers: Mapping[str, str], path: str) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        _field(name, below, named, name in required, refers, f"{path}{name}")
        for name, below in schema.get("properties", {}).items()
    )


def _field(name: str, given: Schema, named: Schema, required: bool, refers: Mapping[str, str], path: str) -> Field:
    schema, is_optional = _resolved(given, named)
    widget = _widget(schema, named, is_optional)
    part: tuple[Field, ...] = ()
    if widget in (Widget.PART, Widget.OPTION):
        part = _fields(schema, named, refers, path + ".")
    elif widget is Widget.PARTS:
        part = _fields(_resolved(schema["items"], named)[0], named, refers, path + "[].")
    return Field(
        name,
        widget,
        required,
        given.get("default", schema.get("default")),
        tuple(str(choice) for choice in _choices(schema)),
        schema.get("type") == "integer",
        schema.get("minimum"),
        schema.get("maximum"),
        schema.get("maxItems"),
        str(given.get("description") or schema.get("description", "")),
        refers.get(path + ("[]" if widget is Widget.NAMES else ""), ""),
        part,
    )


def _choices(schema: Schema) -> Sequence[Any]:
    if "const" in schema:
        return (schema["const"],)
    found: Sequence[Any] = schema.get("enum", ())
    return found


def _resolved(schema: Schema, named: Schema) -> tuple[Schema, bool]:
    """Return the schema that is meant, and whether there may be nothing (null)."""
    if "anyOf" in schema:
        others = [below for below in schema["anyOf"] if below.get("type") != "null"]
        is_optional = len(others) < len(schema["anyOf"])
        if len(others) == 1:
            return _resolved(others[0], named)[0], is_optional
        return schema, is_optional
    if "$ref" in schema:
        return _resolved(named[schema["$ref"].rpartition("/")[2]], named)
    return schema, False


_SCALARS: Final = {"string": Widget.TEXT, "integer": Widget.NUMBER, "number": Widget.NUMBER, "boolean": Widget.SWITCH}


def _widget(schema: Schema, named: Schema, is_optional: bool) -> Widget:
    kind = schema.get("type")
    if kind == "string" and _choices(schema):
        return Widget.CHOICE
    if kind == "boolean" and is_optional:
        return Widget.MAYBE
    if kind in _SCALARS and "enum" not in schema:
        return _SCALARS[kind]
    if kind == "object" and "properties" in schema:
        return Widget.OPTION if is_optional else Widget.PART
    if kind == "object" and schema.get("additionalProperties", {}) == {"type": "string"}:
        return Widget.PAIRS
    if kind == "array" and not is_optional:
        items = _resolved(schema.get("items", {}), named)[0]
        if items.get("type") == "string":
            return Widget.NAMES
        if items.get("type") == "object" and "properties" in items:
            return Widget.PARTS
    return Widget.JSON
