"""A router that reads the texts of the routes itself, tries all of them and sorts what matches.

It shares nothing with the one under test but the defined order.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes


@dataclass(frozen=True)
class Plain:
    """A route as it is written."""

    name: str
    hosts: tuple[str, ...]
    methods: tuple[str, ...]
    path: str
    priority: int


def decoded(path: str | bytes) -> list[bytes]:
    raw = path.encode() if isinstance(path, str) else path
    return [unquote_to_bytes(segment) for segment in raw.split(b"/")[1:]]


def values_of(text: str, path: bytes) -> list[bytes] | None:
    """Return the values of the pattern's variables in this path, None when it does not match."""
    wanted = decoded(path)
    if text.startswith("~"):
        readable = b"/" + b"/".join(part.replace(b"%", b"%25").replace(b"/", b"%2F") for part in wanted)
        match = re.search(text[1:].encode(), readable, re.DOTALL)
        return None if match is None else [unquote_to_bytes(group or b"") for group in match.groups()]
    pieces = text.split("/")[1:]
    if pieces[-1] == "*":
        pieces.pop()
        if len(wanted) <= len(pieces):
            return None
        wanted = wanted[: len(pieces)]
    if len(wanted) != len(pieces):
        return None
    values = []
    for piece, part in zip(pieces, wanted, strict=True):
        if piece.startswith("{"):
            kind = piece[1:-1].partition(":")[2]
            if not part or (kind == "int" and not re.fullmatch(rb"[0-9]+", part)):
                return None
            if "|" in kind and part not in [unquote_to_bytes(choice) for choice in kind.split("|")]:
                return None
            values.append(part)
        elif unquote_to_bytes(piece) != part:
            return None
    return values


def place_of_form(text: str) -> tuple[Any, ...]:
    """Return the place of a pattern in the order of forms."""
    pieces = text.split("/")[1:]
    if text.startswith("~"):
        return (3,)
    if pieces[-1] == "*":
        literal = [unquote_to_bytes(piece) for piece in pieces[:-1] if "{" not in piece]
        # The rank counts an encoded "/" or "%" as it is written in the canonical form.
        size = sum(len(part) + 2 * (part.count(b"/") + part.count(b"%")) for part in literal)
        return (2, -size, -len(pieces), ["{" in piece for piece in pieces[:-1]])
    variables = ["{" in piece for piece in pieces]
    return (1, variables.count(True) - len(pieces), variables) if any(variables) else (0,)


def distance_of_host(entry: str, host: str) -> int | None:
    """Return how far back a route stands for this host, None when it is another one."""
    if entry == "":
        return 1000
    if entry.startswith("*."):
        return 500 - entry.count(".") if host.endswith(entry[1:]) else None
    return 0 if entry == host else None


def candidates(routes: list[Plain], host: str, path: bytes) -> list[tuple[tuple[Any, ...], Plain, list[bytes]]]:
    """Return every route that takes this path on this host for some method, first to last."""
    found: list[tuple[tuple[Any, ...], Plain, list[bytes]]] = []
    for one in routes:
        places = [distance_of_host(entry, host) for entry in one.hosts or ("",)]
        near = [place for place in places if place is not None]
        values = values_of(one.path, path)
        if near and values is not None:
            found.append(((-one.priority, place_of_form(one.path), min(near), one.name), one, values))
    return sorted(found, key=lambda candidate: candidate[0])


def methods_of(one: Plain) -> set[str]:
    return {*one.methods, "HEAD"} if "GET" in one.methods else set(one.methods)
