"""What a configuration can say about a request by name: variables of rewrites, of header edits and of conditions.

| name | value |
|---|---|
| `method` `host` `client_ip` | as the gateway sees them; `host` in lower case without its port |
| `consumer` | who sends the request, by its key or token: where an API asks for one |
| `request_id` | its id, as in logs and problem documents |
| `path` `query` | the path and the query as the client wrote them |
| `*` | what the `*` of a prefix path stands for, as the client wrote it |
| `path.NAME` | a variable of the API's path, decoded |
| `1` ... `9` | a group of its regular expression |
| `query.NAME` `header.NAME` `cookie.NAME` | the first value, decoded in a query |
| `body.FIELD` | a field of the JSON body; `body.user.id`, `body.items.0` go deeper |
| `ATTR.FIELD` | the same of an earlier part of an aggregation |

A value is bytes, or None where the request has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

from gproxy.core.grammar import FAMILIES, TOKEN
from gproxy.core.path import plain

#: Names that are complete in themselves.
PLAIN: Final = ("method", "host", "client_ip", "consumer", "request_id", "path", "query", "*")
_GROUP: Final = re.compile(r"[1-9]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Request(Protocol):
    """The part of a request that variables are taken from."""

    @property
    def method(self) -> bytes:
        """The method."""
        ...

    @property
    def target(self) -> bytes:
        """The target in origin form: path and query."""
        ...

    @property
    def values(self) -> tuple[bytes, ...]:
        """What the variables or groups of the API's path stand for, in canonical form (path.py)."""
        ...

    def host(self) -> bytes:
        """Return the host in lower case, without its port; b"" without one."""
        ...

    def field(self, name: bytes) -> bytes | None:
        """Return the first value of the field `name` (lower case), None without one."""
        ...

    def client_ip(self) -> bytes:
        """Return the address of the client itself, whatever trusted proxies are in between."""
        ...

    def path_names(self) -> tuple[str, ...]:
        """Return the names that `values` belong to."""
        ...

    def rest(self) -> bytes | None:
        """Return what the `*` of the API's path stands for, as the client wrote it; None without one."""
        ...

    def json(self, part: str) -> Any:
        """Return the JSON of the body (`part` ""), None when there is none."""
        ...

    def part(self, name: str, path: tuple[str, ...]) -> bytes | None:
        """Return the plain value at a path of an earlier part of an aggregation, None when there is none."""
        ...


Getter = Callable[[Request], bytes | None]


def getter(name: str, parts: Collection[str] = ()) -> Getter:
    """Return the function that takes a variable from a request; `parts` are the earlier parts there are.

    Raises ValueError with a sentence for the user.
    """
    if name in _GETTERS:
        return _GETTERS[name]
    if _GROUP.fullmatch(name):
        return _group(int(name) - 1)
    family, dot, rest = name.partition(".")
    if not dot or not rest:
        raise ValueError(f'"{name}" is not a variable{_meant(name, parts)}')
    if family == "body":
        return _body_getter(rest)
    if family in parts:
        return _part_getter(family, rest)
    if family not in FAMILIES:
        known = f", or one of the earlier parts {', '.join(parts)}" if parts else ""
        raise ValueError(f'"{name}": a variable begins with {", ".join(FAMILIES)}{known}')
    if family == "path" and not _IDENTIFIER.fullmatch(rest):
        raise ValueError(f'"{name}": the name of a variable of the path has letters, digits and _')
    if family in ("header", "cookie") and not TOKEN.fullmatch(rest):
        raise ValueError(f'"{name}" does not name a {family}')
    return _NAMED[family](rest)


def _meant(name: str, parts: Collection[str]) -> str:
    if name in (*FAMILIES, *parts):
        return f": write {name}.NAME"
    return f", write path.{name} for a variable of the path" if _IDENTIFIER.fullmatch(name) else ""


# -- where values come from ------------------------------------------------------------------------------------------


def cookie(field: bytes | None, name: bytes) -> bytes | None:
    """Return the value of the first cookie `name` in a Cookie field (RFC 6265 section 4.2), None without one."""
    if not field or name not in field:
        return None
    for pair in field.split(b";"):
        key, _, value = pair.partition(b"=")
        if key.strip() == name:
            return value.strip()
    return None


def query(target: bytes, name: bytes) -> bytes | None:
    """Return the decoded value of the first query parameter `name` of a request target, None without one."""
    for pair in target.partition(b"?")[2].split(b"&"):
        key, _, value = pair.partition(b"=")
        if key and unquote_to_bytes(key.replace(b"+", b" ")) == name:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return None


def lookup(document: Any, path: tuple[str, ...]) -> Any:
    """Return what is at a path of field names and list indexes of a JSON value, None when there is nothing."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isascii() and step.isdigit():
            document = document[int(step)] if int(step) < len(document) else None
        else:
            return None
    return document


def as_text(value: Any) -> bytes | None:
    """Return a plain JSON value as text; objects, lists and null have none."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return None if value is None or isinstance(value, dict | list) else json.dumps(value).encode("ascii")


def path_value(request: Request, name: str) -> bytes | None:
    """Return the decoded value of a variable of the API's path."""
    names = request.path_names()
    return plain(request.values[names.index(name)]) if name in names else None


def _group(index: int) -> Getter:
    return lambda request: plain(request.values[index]) if index < len(request.values) else None


def _header_getter(name: str) -> Getter:
    wanted = name.lower().encode("ascii")
    return lambda request: request.field(wanted)


def _cookie_getter(name: str) -> Getter:
    wanted = name.encode("ascii")
    return lambda request: cookie(request.field(b"cookie"), wanted)


def _query_getter(name: str) -> Getter:
    wanted = name.encode("utf-8")
    return lambda request: query(request.target, wanted)


def _body_getter(field: str) -> Getter:
    steps = tuple(field.split("."))
    return lambda request: as_text(lookup(request.json(""), steps))


def _part_getter(part: str, field: str) -> Getter:
    steps = tuple(field.split("."))
    return lambda request: request.part(part, steps)


_GETTERS: Final[dict[str, Getter]] = {
    "method": lambda request: request.method,
    "host": lambda request: request.host() or None,
    "client_ip": lambda request: request.client_ip(),
    "consumer": lambda request: getattr(request, "consumer", None),  # not there until somebody has found out
    "request_id": lambda request: getattr(request, "request_id", None),  # only requests of clients have one
    "path": lambda request: request.target.partition(b"?")[0],
    "query": lambda request: request.target.partition(b"?")[2],
    "*": lambda request: request.rest(),
}
_NAMED: Final[dict[str, Callable[[str], Getter]]] = {
    "path": lambda name: lambda request: path_value(request, name),
    "query": _query_getter,
    "header": _header_getter,
    "cookie": _cookie_getter,
}
