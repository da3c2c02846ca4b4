"""Rewrite templates: the target of a request to a server, made of text and of what the request says.

    /users?id={path.id}&page={query.page|1}

A value is percent-encoded for the place where it lands, once, so that it stays one path segment or one query value:
it cannot add a segment, a parameter, a header or a host. Three variables are put in as the client wrote them, as they
are encoded already: `path` and `*` within the path (`path` brings its first slash), `query` at the beginning of the
query or after a `&`. A group of a regular expression may hold slashes, which stay separators; encoded ones stay so.

The template is the whole target: the client's query goes along only where `{query}` says so. A value that is missing,
or empty where a path segment should be, is an error that names it, unless `{name|default}` has something to put there.
`{{` and `}}` are literal braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_from_bytes

from gproxy.core import path as paths
from gproxy.core.errors import GatewayError
from gproxy.core.variables import Getter, Request, getter

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}|]*)(?:\|([^{}]*))?\}|[{}]")
#: What may stand in a segment without an escape (RFC 3986 section 3.3), and in the value of a query: there & + ; and =
#: mean something to many servers.
_SEGMENT_SAFE: Final = "!$&'()*+,;=:@"
_QUERY_SAFE: Final = "!$'()*,:@/?"
_TARGET_TEXT: Final = re.compile(r"[!\"$-;=?-~]*")
_GROUP: Final = re.compile(r"[1-9]")
_AS_WRITTEN: Final = ("path", "*", "query")


class BadValue(GatewayError):
    """A template cannot be filled in: the request has no value for a variable, or one that makes a dot segment."""

    status, code = 400, "bad_value"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a template: `default` stands in when there is no value, None: that is an error."""

    name: str
    default: str | None


def pieces(text: str) -> list[str | Variable]:
    """Split a template into text and variables; raises ValueError."""
    found: list[str | Variable] = []
    end = 0
    for match in _PIECE.finditer(text):
        found.append(text[end : match.start()])
        end = match.end()
        if match[0] in ("{{", "}}"):
            found.append(match[0][0])
        elif match[1] is None:
            raise ValueError(f"there is a {match[0]} without its counterpart")
        else:
            found.append(Variable(match[1], match[2]))
    found.append(text[end:])
    return [piece for piece in found if piece != ""]


def families(text: str) -> list[str]:
    """Return what the variables of a template begin with, where something follows: `user` of `{user.id}`.

    Raises ValueError.
    """
    names = [piece.name.partition(".") for piece in pieces(text) if isinstance(piece, Variable)]
    return [family for family, dot, _ in names if dot]


#: One piece of a compiled template: ready text, or what makes it.
Piece = bytes | Callable[[Request], bytes]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A compiled template; `variables` are the names in it."""

    text: str
    variables: tuple[str, ...]
    _path: tuple[Piece, ...]
    _query: tuple[Piece, ...] | None

    @classmethod
    def compile(cls, text: str, parts: Collection[str] = ()) -> Rewrite:
        """Compile a template; `parts` are the earlier parts it may use. Raises ValueError."""
        found = pieces(text)
        first = found[0] if found else ""
        is_rooted = first.startswith("/") if isinstance(first, str) else first.name == "path"
        if not is_rooted:
            raise ValueError("must begin with / or {path}")
        path: list[Piece] = []
        query: list[Piece] | None = None
        before = ""
        for piece in found:
            if isinstance(piece, Variable):
                place = path if query is None else query
                place.append(_filled(piece, query is not None, before, parts))
                before = "}"
                continue
            if not _TARGET_TEXT.fullmatch(piece):
                raise ValueError("has a blank, a # or another character that a target cannot hold: write its escape")
            if query is None:
                piece, mark, rest = piece.partition("?")
                path.append(piece.encode("ascii"))
                query = [rest.encode("ascii")] if mark else None
                before = (rest or mark) if mark else piece
            else:
                query.append(piece.encode("ascii"))
                before = piece
        paths.canonical(b"/" + b"".join(piece if isinstance(piece, bytes) else b"x" for piece in path))
        variables = tuple(piece.name for piece in found if isinstance(piece, Variable))
        return cls(text, variables, tuple(path), tuple(query) if query is not None else None)

    @staticmethod
    def variables_of(text: str | None) -> tuple[str, ...]:
        """Return the names in a template that has been checked; none without one."""
        return tuple(piece.name for piece in pieces(text or "") if isinstance(piece, Variable))

    def target(self, request: Request) -> bytes:
        """Return the target for the server; raises BadValue."""
        path = b"".join([piece if isinstance(piece, bytes) else piece(request) for piece in self._path])
        try:
            paths.canonical(path)
        except ValueError as error:
            raise BadValue(f"The request cannot be rewritten: {error}.") from None
        if self._query is None:
            return path
        query = b"".join([piece if isinstance(piece, bytes) else piece(request) for piece in self._query]).strip(b"&")
        return b"%b?%b" % (path, query) if query else path


def _filled(variable: Variable, in_query: bool, before: str, parts: Collection[str]) -> Piece:
    """Return what puts a variable into a target, encoded for its place."""
    name = variable.name
    take = getter(name, parts)
    encode = _encoder(name, in_query, before)
    if variable.default is not None:
        fallback = variable.default.encode("utf-8")
        safe = _QUERY_SAFE if in_query else _SEGMENT_SAFE
        default = quote_from_bytes(fallback, safe).encode("ascii")
        return lambda request: default if not (value := take(request)) else encode(value, request)

    def fill(request: Request) -> bytes:
        value = take(request)
        if value is None or (not value and not in_query and name not in _AS_WRITTEN):
            raise BadValue(f"The request has no value for {name}.")
        return encode(value, request)

    return fill


def _encoder(name: str, in_query: bool, before: str) -> Callable[[bytes, Request], bytes]:
    if name == "query":
        if not in_query or not before.endswith(("?", "&")):
            raise ValueError("{query} stands at the beginning of the query or after a &")
        return lambda value, request: value
    if in_query:
        return lambda value, request: quote_from_bytes(value, _QUERY_SAFE).encode("ascii")
    if name == "path":
        if before:
            raise ValueError("{path} stands at the beginning: it brings its own slash")
        return lambda value, request: value
    if name == "*":
        if not before.endswith("/"):
            raise ValueError("{*} stands after a slash")
        return lambda value, request: value
    if _GROUP.fullmatch(name):
        index = int(name) - 1
        # In its canonical form a group still tells the slashes that separate from those that were encoded.
        return lambda value, request: quote_from_bytes(request.values[index], _SEGMENT_SAFE + "/%").encode("ascii")
    return lambda value, request: quote_from_bytes(value, _SEGMENT_SAFE).encode("ascii")


def compile_text(text: str) -> Callable[[Request], bytes]:
    """Return what makes a header value of a template; a missing value is empty text. Raises ValueError.

    What no header value may hold (RFC 9110 section 5.5) is left out of what a request says.
    """
    found: list[Piece] = []
    for piece in pieces(text):
        if isinstance(piece, str):
            found.append(piece.encode("utf-8"))
        else:
            found.append(_header_piece(getter(piece.name), (piece.default or "").encode("utf-8")))
    return lambda request: b"".join([piece if isinstance(piece, bytes) else piece(request) for piece in found])


def _header_piece(take: Getter, default: bytes) -> Piece:
    return lambda request: _CONTROLS.sub(b"", take(request) or default)


_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
