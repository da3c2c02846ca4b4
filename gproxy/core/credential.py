"""Where a request carries a credential, and how it is taken out of what goes on.

Forms: `header:NAME`, `query:NAME`, `cookie:NAME`. The scheme `Bearer` before a credential in Authorization is not part
of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from gproxy.core.grammar import TOKEN, header_name
from gproxy.core.variables import Request, getter

_PLACES: Final = ("header", "query", "cookie")
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+)")


def check_place(text: str) -> str:
    """Return `text` when it is one of the forms, else raise ValueError with a sentence for the user."""
    place, _, name = text.partition(":")
    if place not in _PLACES or not name or (place != "query" and TOKEN.fullmatch(name) is None):
        raise ValueError(f'must be header:NAME, query:NAME or cookie:NAME, not "{text}"')
    if place == "header":
        header_name(name)  # it is taken out of what goes on
    return text


@dataclass(frozen=True, slots=True)
class Place:
    """A compiled form: `take` returns the credential of a request, None without one."""

    form: str
    name: str
    take: Callable[[Request], bytes | None]

    @classmethod
    def compile(cls, text: str) -> Place:
        """Compile one of the forms."""
        form, _, name = text.partition(":")
        value = getter(f"{form}.{name}")
        if form == "header" and name.lower() == "authorization":
            return cls(form, name, lambda request: _bearer(value(request)))
        return cls(form, name, lambda request: value(request) or None)

    def without(self, target: bytes) -> bytes:
        """Return a request target without the credential, which stays where it is if it is not in the query."""
        if self.form != "query" or b"?" not in target:
            return target
        path, _, query = target.partition(b"?")
        name = self.name.encode("utf-8")
        kept = [pair for pair in query.split(b"&") if _decoded(pair.partition(b"=")[0]) != name]
        return b"%b?%b" % (path, b"&".join(kept)) if kept else path


def _bearer(field: bytes | None) -> bytes | None:
    match = _BEARER.fullmatch(field) if field else None
    return match[1] if match else None


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
