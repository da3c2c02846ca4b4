"""A document as the texts of a form's inputs, and back.

Inputs are named by path: `health_check.interval_s`, `nodes[0].cluster`. An empty text means the default. A list of
texts is one text with a line for each; pairs are `path[0].key` and `path[0].value`; a switch is there when it is on; a
part that may be missing has an input of its own name that is there when the part is; an entry of a list of parts has
one named `nodes[0]`. What cannot be read as a number stays the text it is: checking the document says why.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gadmin.forms.spec import Field, Widget

Flat = Mapping[str, str]

ON: Final = "on"
YES: Final = "yes"
NO: Final = "no"
#: Lists of words that have no comma: people write one between them. (An expression may have commas.)
_WORDS: Final = frozenset({"hosts", "methods", "remove", "tags"})
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}")


def flattened(fields: Iterable[Field], document: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Return the inputs of a form that shows the document; a field that is not given is shown as its default."""
    found: dict[str, str] = {}
    for field in fields:
        name = path + field.name
        value = document.get(field.name)
        if value is None:
            value = field.default
        if value is not None:
            found |= _inputs(field, name, value)
    return found


def _inputs(field: Field, name: str, value: Any) -> dict[str, str]:
    if field.widget is Widget.SWITCH:
        return {name: ON} if value else {}
    if field.widget is Widget.MAYBE:
        return {name: YES if value else NO}
    if field.widget is Widget.NAMES:
        return {name: "\n".join(map(str, value))}
    if field.widget is Widget.PAIRS:
        pairs = ((f"{name}[{index}]", key, text) for index, (key, text) in enumerate(value.items()))
        return {place: text for at, key, item in pairs for place, text in ((at + ".key", key), (at + ".value", item))}
    if field.widget is Widget.PART:
        return flattened(field.part, value, name + ".")
    if field.widget is Widget.OPTION:
        return {name: ON, **flattened(field.part, value, name + ".")}
    if field.widget is Widget.PARTS:
        found: dict[str, str] = {}
        for index, item in enumerate(value):
            found |= {f"{name}[{index}]": ON, **flattened(field.part, item, f"{name}[{index}].")}
        return found
    if field.widget is Widget.JSON:
        return {name: json.dumps(value, ensure_ascii=False)}
    return {name: shown(value)}


def shown(value: Any) -> str:
    """Return a plain value as an input shows it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def document(fields: Iterable[Field], flat: Flat, path: str = "") -> dict[str, Any]:
    """Return the document that a form describes, without what was left empty. Texts that are no JSON stay texts."""
    found: dict[str, Any] = {}
    for field in fields:
        value = _value(field, flat, path + field.name)
        if value is not None:
            found[field.name] = value
    return found


def _value(field: Field, flat: Flat, name: str) -> Any:
    """Return what the inputs of a field say, None for nothing."""
    if field.widget is Widget.PART:
        return document(field.part, flat, name + ".") or None
    if field.widget is Widget.OPTION:
        return document(field.part, flat, name + ".") if name in flat else None
    if field.widget is Widget.PARTS:
        parts = [document(field.part, flat, f"{name}[{index}].") for index in rows(flat, name)]
        return parts or None
    if field.widget is Widget.PAIRS:
        return _pairs(flat, name) or None
    if field.widget is Widget.SWITCH:
        is_on = name in flat
        return None if is_on == bool(field.default) else is_on
    text = flat.get(name, "").strip()
    if field.widget is Widget.NAMES:
        if field.refers_to or field.name in _WORDS:
            text = text.replace(",", "\n")
        return [line.strip() for line in text.splitlines() if line.strip()] or None
    if not text:
        return None
    if field.widget is Widget.NUMBER:
        return _number(text)
    if field.widget is Widget.MAYBE:
        return {YES: True, NO: False}.get(text, text)
    return _json(text) if field.widget is Widget.JSON else text


def rows(flat: Flat, name: str) -> list[int]:
    """Return the numbers of the rows of a list that have any input, in order."""
    pattern = re.compile(re.escape(name) + r"\[(\d{1,6})\]")
    return sorted({int(found[1]) for key in flat if (found := pattern.match(key))})


def _pairs(flat: Flat, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for index in rows(flat, name):
        key, value = flat.get(f"{name}[{index}].key", "").strip(), flat.get(f"{name}[{index}].value", "").strip()
        if key or value:
            found[key] = value
    return found


def _number(text: str) -> int | float | str:
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
