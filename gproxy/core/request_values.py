"""All values that a request has under a name: a rule that looks at the first one only lets the second one slip by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

_FORM: Final = b"application/x-www-form-urlencoded"


def form_fields(encoded: bytes) -> dict[bytes, list[bytes]]:
    """Return the decoded values of a query, or of the body of a form, by their names."""
    found: dict[bytes, list[bytes]] = {}
    for pair in encoded.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            found.setdefault(_decoded(name), []).append(_decoded(value))
    return found


def is_form(content_type: bytes | None) -> bool:
    """Say whether a body of this type is a form; one of `multipart/form-data` is not looked into."""
    return (content_type or b"").partition(b";")[0].strip().lower() == _FORM


def cookies(fields: Sequence[bytes], name: bytes) -> list[bytes]:
    """Return the values of every cookie `name` in all Cookie fields (RFC 6265 section 4.2)."""
    pairs = [pair.partition(b"=") for field in fields for pair in field.split(b";")]
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
