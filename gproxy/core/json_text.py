"""JSON texts as bytes: checked, taken apart and put together without building a value that nobody asked for.

msgspec finds where a value ends without building it (`Raw`, a view on the text), a megabyte in about a millisecond.
Numbers stay as they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from gproxy.core.json_check import Rest, is_json, no_rest, runs

#: A valid JSON text without white space around it.
Text = bytes | Raw

_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_items: Final = msgspec.json.Decoder(list[Raw]).decode
_string: Final = msgspec.json.Decoder(str).decode
NULL: Final = b"null"
#: What is taken apart in one step.
_SMALL_BYTES: Final = 131_072


def checked(data: bytes, rest: Rest = no_rest) -> bytes | None:
    """Return a text without white space around it, None when it is no valid JSON in UTF-8 (RFC 8259)."""
    return data.strip() if is_json(data, rest) else None


def quoted(text: str) -> bytes:
    """Return a string as JSON."""
    return msgspec.json.encode(text)


def is_object(text: Text) -> bool:
    """Say whether a text is an object."""
    return memoryview(text)[0] == 0x7B


def is_list(text: Text) -> bool:
    """Say whether a text is a list."""
    return memoryview(text)[0] == 0x5B


def members(text: Text, rest: Rest = no_rest) -> dict[str, Raw]:
    """Return the members of an object; of those with one name the last."""
    if memoryview(text).nbytes <= _SMALL_BYTES:
        return _members(text)
    found: dict[str, Raw] = {}
    for run in runs(bytes(text), _members, rest):
        found.update(run)
    return found


def items(text: Text, rest: Rest = no_rest) -> list[Raw]:
    """Return the items of a list."""
    if memoryview(text).nbytes <= _SMALL_BYTES:
        return _items(text)
    return [item for run in runs(bytes(text), _items, rest) for item in run]


def at(text: Text, path: Iterable[str]) -> Text:
    """Return what is at a path of field names and list indexes, null when there is nothing."""
    for step in path:
        if is_object(text):
            text = members(text).get(step, NULL)
        elif is_list(text) and step.isascii() and step.isdigit():
            found = items(text)
            text = found[int(step)] if int(step) < len(found) else NULL
        else:
            return NULL
    return text


def plain(text: Text) -> bytes | None:
    """Return a plain value as people write it, a string without quotes; None for objects, lists and null."""
    if is_object(text) or is_list(text):
        return None
    value = bytes(text)
    if value.startswith(b'"'):
        return _string(value).encode("utf-8")
    return None if value == NULL else value


def object_of(fields: Mapping[str, Text], rest: Rest = no_rest) -> bytes:
    """Return an object with these members."""
    found: list[Text] = []
    for number, (name, value) in enumerate(fields.items(), 1):
        if not number % 1024:
            rest()
        found += (b"," if found else b"{", quoted(name), b":", value)
    return b"".join(found) + b"}" if found else b"{}"


def list_of(values: Iterable[Text]) -> bytes:
    """Return a list of these items."""
    return b"[%b]" % b",".join(values)
