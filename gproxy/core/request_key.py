"""What identifies a request for a rule that treats equal ones alike: an address, a header field, a cookie and so on.

Forms: `client_ip`, `path`, `header:NAME`, `cookie:NAME`, `query:NAME`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

from gproxy.core.grammar import TOKEN

#: Sources that are complete in themselves, and those that need a name after a colon.
_PLAIN: Final = ("client_ip", "path")
_NAMED: Final = ("header", "cookie", "query")


class Request(Protocol):
    """The part of a request that keys are made of."""

    target: bytes

    def field(self, name: bytes) -> bytes:
        """Return the first value of the field `name` (lower case), b"" without one."""
        ...

    def client_ip(self) -> bytes:
        """Return the address of the client itself, whatever trusted proxies are in between."""
        ...


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
    source, _, name = text.partition(":")
    wanted = name.encode("utf-8")
    if source == "client_ip":
        return lambda request: request.client_ip()
    if source == "path":
        return lambda request: request.target.partition(b"?")[0]
    if source == "header":
        field = wanted.lower()
        return lambda request: request.field(field)
    if source == "cookie":
        return lambda request: cookie(request.field(b"cookie"), wanted)
    return lambda request: query(request.target, wanted)


def cookie(field: bytes, name: bytes) -> bytes:
    """Return the value of the first cookie `name` in a Cookie field (RFC 6265 section 4.2), b"" without one."""
    if name not in field:
        return b""
    for pair in field.split(b";"):
        key, _, value = pair.partition(b"=")
        if key.strip() == name:
            return value.strip()
    return b""


def query(target: bytes, name: bytes) -> bytes:
    """Return the decoded value of the first query parameter `name` of a request target, b"" without one."""
    for pair in target.partition(b"?")[2].split(b"&"):
        key, _, value = pair.partition(b"=")
        if unquote_to_bytes(key) == name:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""
