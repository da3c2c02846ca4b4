r"""The four forms of an API's path, parsed once into what the router indexes.

| form               | example                        | matches                                            |
|--------------------|--------------------------------|----------------------------------------------------|
| exact              | `/a/b`                         | this path, nothing else (`/a/b/` is another path)  |
| template           | `/users/{id}`, `/u/{id:int}`,  | a variable fills one whole, non-empty segment      |
|                    | `/o/{state:on|off}`            |                                                    |
| prefix             | `/static/*`, `/users/{id}/*`   | `/static/` and all below it, but not `/static`     |
| regular expression | `~^/v(\d+)/(.+)$`              | where the expression is found: anchors are its own |

Literal text may contain percent escapes and means the decoded bytes, as in a request; the characters
`* { } ? # %` as text are written as escapes. `int` is one or more ASCII digits, of any length, without a
sign. A regular expression sees the canonical path (see path.py) as UTF-8, so that bytes which are none match
no part of it, and runs within a budget (see regex.py): no pattern can stall a worker.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from gproxy.core import path as paths
from gproxy.core.regex import Regex


class Form(IntEnum):
    """The four forms, in the order in which they win."""

    EXACT = 0
    TEMPLATE = 1
    PREFIX = 2
    REGEX = 3


# How patterns are ordered, the smaller first: the form, minus the literal segments (template) or bytes
# (prefix), minus the number of segments, and one "L" or "V" per segment, for literals sort before variables.
Rank = tuple[int, int, int, str]

# What a variable accepts: anything but the empty segment, ASCII digits, or one of these canonical texts.
Accepts = Literal["int"] | frozenset[bytes] | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed path pattern.

    `parts` (template, prefix) holds one item per segment: the canonical bytes of literal text, or for a
    variable what it accepts, in a tuple of one. `positions` says which segments the variables are, 1 the first.
    `names` names the values in their order: variables, or groups, an unnamed group by its number.
    `literal` is an exact pattern's canonical path, or what every match of a regular expression begins with.
    `regex` is the compiled expression (a Regex).
    """

    text: str
    rank: Rank
    parts: tuple[bytes | tuple[Accepts], ...] = ()
    names: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    literal: bytes = b""
    regex: Any = None

    @property
    def form(self) -> Form:
        """Which of the four forms this is."""
        return _FORMS[self.rank[0]]

    @staticmethod
    def parse(text: str) -> "Pattern":
        """Parse one of the four forms; raises ValueError with a message that says what is wrong."""
        if text[:1] == "~":
            return _regular_expression(text)
        if text[:1] != "/":
            raise ValueError("a path begins with / (or with ~ for a regular expression)")
        if _FORBIDDEN.search(text):
            raise ValueError("a path has no query, fragment, space or control character, except as escapes")
        is_prefix = text[-2:] == "/*"
        body = text[:-2] if is_prefix else text
        if "*" in body:
            raise ValueError("* stands only at the end, after a / (as text it is %2A)")
        if "{" in body or "}" in body:
            return _template(text, body, is_prefix)
        literal = _literal(body)
        if not is_prefix:
            return Pattern(text, (0, 0, 0, ""), literal=literal)
        parts = tuple(literal.split(b"/")[1:])
        count = len(parts)
        return Pattern(text, (2, count - len(literal), -count, "L" * count), parts)


_FORMS = tuple(Form)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f?#]")
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}")
# The text that every match begins with, when the expression begins with ^ and has no alternatives.
_ANCHORED_TEXT = re.compile(r"~\^([A-Za-z0-9/_-]+)(?![*?{])[^|]*\Z")


def _literal(text: str) -> bytes:
    """Return the canonical bytes of literal text that begins with a slash or is empty."""
    if not text or not ("%" in text or "/." in text or "\\" in text):
        return text.encode()
    return paths.canonical(text.encode())


def _template(text: str, body: str, is_prefix: bool) -> Pattern:
    """Parse a template, or a prefix that has variables."""
    parts: list[bytes | tuple[Accepts]] = []
    names: list[str] = []
    positions: list[int] = []
    shape = ""
    literal_bytes = 0
    for segment in body[1:].split("/"):
        if "{" in segment or "}" in segment:
            variable = _VARIABLE.fullmatch(segment)
            if variable is None:
                raise ValueError(f"{segment!r}: a variable is {{name}} or {{name:type}}, a whole segment")
            name, kind = variable.groups()
            if name in names:
                raise ValueError(f"the variable {name!r} is there twice")
            names.append(name)
            parts.append((None if kind is None else _accepts(kind),))
            positions.append(len(parts))
            shape += "V"
        else:
            part = _literal("/" + segment)[1:]
            literal_bytes += len(part)
            parts.append(part)
            shape += "L"
    count = len(parts)
    rank = (2, -literal_bytes, -count, shape) if is_prefix else (1, len(names) - count, -count, shape)
    return Pattern(text, rank, tuple(parts), tuple(names), tuple(positions))


def _accepts(kind: str) -> Accepts:
    """Return what a variable of this type accepts: `int`, or at least two alternatives between bars."""
    if kind == "int":
        return "int"
    alternatives = kind.split("|")
    if len(alternatives) < 2:
        raise ValueError(f"unknown type {kind!r}: use int, or the accepted texts as in on|off")
    if "" in alternatives:
        raise ValueError(f"an alternative of {kind!r} is empty")
    return frozenset([_literal("/" + alternative)[1:] for alternative in alternatives])


def _regular_expression(text: str) -> Pattern:
    """Compile `~expression`; the values are its groups."""
    if len(text) == 1:
        raise ValueError("there is no regular expression after ~")
    # An encoded newline in a path must not be a way around `.*`.
    regex = Regex.compile("(?s)" + text[1:])
    anchored = _ANCHORED_TEXT.match(text)
    literal = anchored[1].encode() if anchored else b""
    return Pattern(text, (3, 0, 0, ""), names=regex.names, literal=literal, regex=regex)
