"""What differs between two configurations, object by object, and how to say it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
Objects = Mapping[str, Mapping[str, Document]]


@dataclass(frozen=True, slots=True)
class Change:
    """One object before and after; None where it does not exist."""

    kind: str
    name: str
    before: Document | None
    after: Document | None

    def undone(self) -> "Change":
        """Return the change that takes this one back."""
        return Change(self.kind, self.name, self.after, self.before)

    @property
    def sign(self) -> str:
        """`+` added, `-` removed, `~` changed."""
        if self.before is None:
            return "+"
        return "-" if self.after is None else "~"


def diff(before: Objects, after: Objects) -> list[Change]:
    """Return what makes `after` out of `before`, by kind (in the order of `after`), then name."""
    changes: list[Change] = []
    for kind in dict.fromkeys([*after, *before]):
        old, new = before.get(kind, {}), after.get(kind, {})
        changes.extend(
            Change(kind, name, old.get(name), new.get(name))
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        )
    return changes


def patched(objects: Objects, changes: Iterable[Change]) -> dict[str, dict[str, Document]]:
    """Return the objects with the changes made; the given ones stay as they are."""
    result = {kind: dict(documents) for kind, documents in objects.items()}
    for change in changes:
        if change.after is None:
            del result[change.kind][change.name]
        else:
            result.setdefault(change.kind, {})[change.name] = change.after
    return result


def described(changes: Iterable[Change]) -> Iterator[str]:
    """Yield the lines of a readable difference: one per object, one below it per field."""
    for change in changes:
        yield f"{change.sign} {change.kind} {change.name}"
        before, after = _fields(change.before or {}), _fields(change.after or {})
        for path in dict.fromkeys([*after, *before]):
            if path == "name":
                continue
            old, new = before.get(path), after.get(path)
            if old is None:
                yield f"    + {path}: {new}"
            elif new is None:
                yield f"    - {path}: {old}"
            elif old != new:
                yield f"    ~ {path}: {old} -> {new}"


def summary(changes: Iterable[Change]) -> str:
    """Return the count of each sign: "2 added, 1 changed"; "nothing changed" for no change."""
    signs = [change.sign for change in changes]
    words = {"+": "added", "~": "changed", "-": "removed"}
    parts = [f"{signs.count(sign)} {word}" for sign, word in words.items() if sign in signs]
    return ", ".join(parts) or "nothing changed"


def _fields(document: Document, prefix: str = "") -> dict[str, str]:
    """Return the leaves of a document by path, as JSON; a list of plain values is one leaf."""
    leaves: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            leaves |= _fields(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                leaves |= _fields(item, f"{prefix}{key}[{index}].")
        else:
            leaves[prefix + key] = json.dumps(value, ensure_ascii=False)
    return leaves
