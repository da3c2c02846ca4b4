"""One state of the configuration, and what pages ask about it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from gproxy.core.change import Document
from gproxy.core.references import references
from gproxy.core.schema import KINDS, Checked, check
from gproxy.core.secret_fields import without_secrets
from gproxy.store.base import State, Stored

Key = tuple[str, str]


class Configuration:
    """The objects of one revision. What is derived from them is worked out at the first question and kept."""

    def __init__(self, state: State, before: "Configuration | None" = None) -> None:
        self.state = state
        known = before.__dict__ if before is not None else {}
        self._checked_before: Checked | None = known.get("checked")
        self._texts_before: Mapping[Key, tuple[Document, str]] = known.get("texts", {})

    @property
    def revision(self) -> int:
        """The revision of the store; -1 before anything was read."""
        return self.state.revision

    @cached_property
    def objects(self) -> dict[str, dict[str, Document]]:
        """The documents by kind and name; every kind is there."""
        found = self.state.documents()
        return {kind: found.get(kind, {}) for kind in KINDS}

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """The names of each kind, sorted."""
        return {kind: sorted(documents) for kind, documents in self.objects.items()}

    @cached_property
    def checked(self) -> Checked:
        """The objects as models; what has not changed since the state before is not checked again."""
        return check(self.objects, self._checked_before)

    @cached_property
    def texts(self) -> Mapping[Key, tuple[Document, str]]:
        """What is searched, for each object: its document, and all texts of it but secrets in lower case."""
        found = {}
        for key, stored in self.state.objects.items():
            before = self._texts_before.get(key)
            if before is None or before[0] is not stored.document:
                searched = without_secrets(stored.kind, stored.document)
                before = stored.document, " ".join(_texts(searched)).lower()
            found[key] = before
        return found

    @cached_property
    def users_of(self) -> Mapping[Key, Sequence[Key]]:
        """For each object that is referred to, who does."""
        found: dict[Key, dict[Key, None]] = {}
        for kind, documents in self.objects.items():
            for name, document in documents.items():
                for reference in references(kind, document):
                    found.setdefault((reference.kind, reference.name), {})[kind, name] = None
        return {key: list(users) for key, users in found.items()}

    def get(self, kind: str, name: str) -> Stored | None:
        """Return one object."""
        return self.state.objects.get((kind, name))

    def search(self, kind: str, words: str, filters: Mapping[str, str]) -> Iterator[Stored]:
        """Yield the objects of a kind, by name, whose text has all words and whose fields have these values.

        A filter on a list asks for an entry of it; a field of a field is named with a dot. A field that is not given
        has its default.
        """
        wanted = words.lower().split()
        for name in self.names[kind]:
            stored = self.state.objects[kind, name]
            if wanted:
                text = self.texts[kind, name][1]
                if not all(word in text for word in wanted):
                    continue
            if all(_has(self._value(kind, name, field), value) for field, value in filters.items()):
                yield stored

    def _value(self, kind: str, name: str, field: str) -> Any:
        value: Any = self.checked.entities[kind].get(name)
        if value is None:  # not valid: as it is written
            value = self.objects[kind][name]
        for step in field.split("."):
            value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
        return value


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a document: what a search looks at."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(item, bool | int | float):
                yield key
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _has(value: Any, wanted: str) -> bool:
    if isinstance(value, list | tuple):
        return any(_has(item, wanted) for item in value)
    if isinstance(value, bool) or value is None:
        return wanted == ("true" if value else "false")
    if not isinstance(value, str | int | float):  # a part that is given
        return wanted == "true"
    return str(value) == wanted
