"""Edits of header fields as an API describes them: `{set, add, remove}`, compiled once, applied to a block of lines.

Order: remove, then set (which replaces every field of that name), then add. Values may be templates (rewrite.py); one
that comes out empty, because the request has no value for its variables, leaves its field out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gproxy.core.rewrite import Variable, compile_text, pieces
from gproxy.core.variables import Request

Edits = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """What to take out of a block of field lines and what to put behind it."""

    taken: re.Pattern[bytes] | None
    added: bytes

    @classmethod
    def compile(
        cls,
        set: Mapping[str, str] | None = None,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> HeaderEdits | None:
        """Build the edits, None when there is nothing to do. Values are sent as UTF-8."""
        set, add = set or {}, add or {}
        taken = _taken((*set, *remove))
        added = b"".join(
            b"%b: %b\r\n" % (name.encode("ascii"), value.encode()) for name, value in (*set.items(), *add.items())
        )
        return cls(taken, added) if taken is not None or added else None

    @classmethod
    def without_variables(cls, edits: Edits) -> HeaderEdits | None:
        """Build edits whose values are templates, all of them without variables."""
        return cls.compile(_plain(edits["set"]), _plain(edits["add"]), edits["remove"])

    @classmethod
    def hiding(cls, names: Sequence[str]) -> HeaderEdits | None:
        """Build edits that take out what a server could take for one of these fields, None when there are none.

        CGI and WSGI servers know no difference between - and _.
        """
        taken = _taken(names, is_any_spelling=True)
        return cls(taken, b"") if taken is not None else None

    def apply(self, block: bytes) -> bytes:
        """Return the edited block of field lines (each ending in CRLF)."""
        if self.taken is not None:
            block = self.taken.sub(b"", block)
        return block + self.added


@dataclass(frozen=True, slots=True)
class FilledEdits:
    """The same where values are made of what the request says.

    `added` are name, what makes the value, and whether it has no variables: then it may be empty.
    """

    taken: re.Pattern[bytes] | None
    added: tuple[tuple[bytes, Callable[[Request], bytes], bool], ...]

    @classmethod
    def compile(cls, edits: Edits) -> FilledEdits:
        """Build edits whose values are templates."""
        lines = (*edits["set"].items(), *edits["add"].items())
        added = tuple((name.encode("ascii"), compile_text(value), not variables(value)) for name, value in lines)
        return cls(_taken((*edits["set"], *edits["remove"])), added)

    def apply(self, block: bytes, request: Request) -> bytes:
        """Return the edited block of field lines (each ending in CRLF)."""
        values = [(name, make(request).strip(b" \t"), is_fixed) for name, make, is_fixed in self.added]
        if self.taken is not None:
            block = self.taken.sub(b"", block)
        return block + b"".join(
            [b"%b: %b\r\n" % (name, value) for name, value, is_fixed in values if value or is_fixed]
        )


def variables(text: str) -> tuple[str, ...]:
    """Return the variables of a header value; raises ValueError with a sentence for the user."""
    try:
        compile_text(text)
    except ValueError as error:
        raise ValueError(f"{error} (a brace that is only text is written twice)") from None
    return tuple(piece.name for piece in pieces(text) if isinstance(piece, Variable))


def has_variables(edits: Edits) -> bool:
    """Say whether any value of normalised edits has a variable."""
    return any(variables(value) for part in (edits["set"], edits["add"]) for value in part.values())


def _plain(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: "".join(str(piece) for piece in pieces(value)) for name, value in fields.items()}


def _taken(names: Sequence[str], is_any_spelling: bool = False) -> re.Pattern[bytes] | None:
    """Return what finds the lines of fields with these names."""
    escaped = [re.escape(name.encode("ascii")) for name in sorted({name.lower() for name in names})]
    if is_any_spelling:
        escaped = [re.sub(rb"\\-|_", b"[-_]", name) for name in escaped]
    pattern = b"|".join(escaped)
    return re.compile(rb"^(?:" + pattern + rb"):[^\n]*\n", re.IGNORECASE | re.MULTILINE) if pattern else None
