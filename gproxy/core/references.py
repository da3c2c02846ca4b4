"""Which objects a document refers to, and which documents refer to an object.

Paths are written as in problems, with `[]` for every entry of a list: `nodes[].cluster`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from gproxy.core.change import Document, Objects

#: Kind -> path of a field -> the kind of object that it names.
REFERENCES: Final[dict[str, dict[str, str]]] = {
    "cluster": {"servers[]": "server"},
    "api": {"nodes[].cluster": "cluster"},
    "routing": {"api": "api", "cluster": "cluster"},
}


class Reference(NamedTuple):
    """One place of a document that names another object."""

    path: str
    kind: str
    name: str


def references(kind: str, document: Any) -> Iterator[Reference]:
    """Yield what a document names; what is not of the right form names nothing."""
    for path, target in REFERENCES.get(kind, {}).items():
        for place, value in _values(document, path.split("."), ""):
            if isinstance(value, str):
                yield Reference(place, target, value)


def used_by(objects: Objects, kind: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (kind, name) of every object that refers to one of these, in the order of the objects."""
    wanted = set(names)
    return [
        (user, name)
        for user, documents in objects.items()
        if kind in REFERENCES.get(user, {}).values()
        for name, document in documents.items()
        if any(found.kind == kind and found.name in wanted for found in references(user, document))
    ]


def without(objects: Objects, kind: str, name: str) -> dict[str, dict[str, Document]]:
    """Return the objects without one, and without what cannot be without it.

    Where it is an entry of a list, the entry goes; an object whose list would be empty, or that names it in a field
    of its own, goes too, unless the list may be empty: a cluster without servers stays.
    """
    result = {of: dict(documents) for of, documents in objects.items()}
    gone = [(kind, name)]
    while gone:
        lost_kind, lost = gone.pop()
        result.get(lost_kind, {}).pop(lost, None)
        for user, user_name in used_by(result, lost_kind, [lost]):
            left = _cut(user, result[user][user_name], lost_kind, lost)
            if left is None:
                gone.append((user, user_name))
            else:
                result[user][user_name] = left
    return result


def _cut(user: str, document: Document, kind: str, name: str) -> Document | None:
    """Return a document without its references to an object, None when it makes no sense any more."""
    left: Document = document
    for path, target in REFERENCES[user].items():
        if target != kind:
            continue
        field, is_list, rest = path.partition("[]")
        if not is_list:
            if left.get(field) == name:
                return None
            continue
        entries = [
            entry
            for entry in left.get(field, [])
            if all(value != name for _, value in _values(entry, [step for step in rest.split(".") if step], ""))
        ]
        if not entries and rest:  # entries that are objects are what the document is there for
            return None
        left = {**left, field: entries}
    return left


def _values(value: Any, steps: list[str], place: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield place, value
        return
    field, is_list, _ = steps[0].partition("[]")
    below = value.get(field) if isinstance(value, Mapping) else None
    path = f"{place}.{field}" if place else field
    if not is_list:
        yield from _values(below, steps[1:], path)
    elif isinstance(below, list | tuple):
        for index, entry in enumerate(below):
            yield from _values(entry, steps[1:], f"{path}[{index}]")
