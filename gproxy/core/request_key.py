"""What identifies a request for a rule that treats equal ones alike: an address, a header field, a cookie and so on.

Forms: `client_ip`, `consumer`, `path`, `header:NAME`, `cookie:NAME`, `query:NAME`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gproxy.core.grammar import TOKEN
from gproxy.core.variables import Request, getter

#: Sources that are complete in themselves, and those that need a name after a colon.
_PLAIN: Final = ("client_ip", "consumer", "path")
_NAMED: Final = ("header", "cookie", "query")


KeyOf = Callable[[Request], bytes]


def check(text: str) -> str:
    """Return `text` when it is one of the forms, else raise ValueError with a sentence for the user."""
    source, colon, name = text.partition(":")
    if source in _PLAIN and not colon:
        return text
    if source in _NAMED and name and (source == "query" or TOKEN.fullmatch(name)):
        return text
    if source in _NAMED:
        raise ValueError(f"must name a {source}: {source}:NAME")
    raise ValueError(f'must be {", ".join(_PLAIN)}, {":NAME, ".join(_NAMED)}:NAME, not "{text}"')


def compile_key(text: str) -> KeyOf:
    """Return the function that takes the key of a checked form from a request; b"" when the request has none."""
    take = getter(text.replace(":", ".", 1))
    return lambda request: take(request) or b""
