"""Two versions of a document side by side, line by line. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from gproxy.ctl.files import render


@dataclass(frozen=True, slots=True)
class Side:
    """One line of both sides; None where there is none. `is_same` when nothing changed."""

    before: str | None
    after: str | None
    is_same: bool


def sides(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Side]:
    """Return the lines of two versions, the lines that belong together beside each other."""
    old, new = _lines(before), _lines(after)
    found: list[Side] = []
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        left, right = old[old_from:old_to], new[new_from:new_to]
        for index in range(max(len(left), len(right))):
            found.append(Side(_at(left, index), _at(right, index), kind == "equal"))  # noqa: PERF401
    return found


def _lines(document: Mapping[str, Any] | None) -> list[str]:
    return [] if document is None else render(document, "yaml").splitlines()


def _at(lines: Sequence[str], index: int) -> str | None:
    return lines[index] if index < len(lines) else None
