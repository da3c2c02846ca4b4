"""JSON texts as bytes: checked, taken apart and put together without building a value that nobody asked for.

msgspec finds where a value ends without building it (`Raw`, a view on the text), a megabyte in about a millisecond, and
is strict about everything but the encoding of strings, which is looked at here. Numbers stay as they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

#: A valid JSON text without white space around it.
Text = bytes | Raw

_check: Final = msgspec.json.Decoder(Raw).decode
_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_items: Final = msgspec.json.Decoder(list[Raw]).decode
_string: Final = msgspec.json.Decoder(str).decode
NULL: Final = b"null"


def checked(data: bytes) -> bytes | None:
    """Return a text without white space around it, None when it is no valid JSON in UTF-8 (RFC 8259)."""
    try:
        _check(data)
        if not data.isascii():
            str(data, "utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return data.strip()


def quoted(text: str) -> bytes:
    """Return a string as JSON."""
    return msgspec.json.encode(text)


def is_object(text: Text) -> bool:
    """Say whether a text is an object."""
    return memoryview(text)[0] == 0x7B


def is_list(text: Text) -> bool:
    """Say whether a text is a list."""
    return memoryview(text)[0] == 0x5B


def members(text: Text) -> dict[str, Raw]:
    """Return the members of an object; of those with one name the last."""
    return _members(text)


def items(text: Text) -> list[Raw]:
    """Return the items of a list."""
    return _items(text)


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


def object_of(fields: Mapping[str, Text]) -> bytes:
    """Return an object with these members."""
    found: list[Text] = []
    for name, value in fields.items():
        found += (b"," if found else b"{", quoted(name), b":", value)
    return b"".join(found) + b"}" if found else b"{}"


def list_of(values: Iterable[Text]) -> bytes:
    """Return a list of these items."""
    return b"[%b]" % b",".join(values)
