"""What the values of an etcd store say: entries of the history and checkpoints, as JSON texts in parts."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from gproxy.core.change import Change
from gproxy.store.base import Document, Entry, Key, StoreCorrupt, Stored
from gproxy.store.etcd_layout import part_name

#: Bytes of one value: etcd takes 1.5 MB per request, with everything that goes along.
PART_BYTES: Final = 400_000

_DAMAGE: Final = (ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True, slots=True)
class Record:
    """The entry of a write as it is kept; `previous` is the id of the head before, `changes_ever` counts to here."""

    entry: Entry
    id: str
    previous: str
    changes_ever: int

    def rendered(self) -> tuple[bytes, list[bytes]]:
        """Return the value of its key, and the values of its parts when it is too large for one."""
        entry = self.entry
        items = [item for change in entry.changes for item in _items(change)]
        about = {
            "revision": entry.revision,
            "author": entry.author,
            "comment": entry.comment,
            "time_s": entry.time_s,
            "id": self.id,
            "previous": self.previous,
            "changes_ever": self.changes_ever,
        }
        parts = chunked(items)
        if len(parts) == 1:
            return dumped({**about, "changes": items}), []
        return dumped({**about, "parts": len(parts)}), parts

    @classmethod
    def parse(cls, value: bytes, parts: Sequence[bytes]) -> Self:
        """Read the value of the key and those of its parts. Raises StoreCorrupt."""
        try:
            known = json.loads(value)
            items = known["changes"] if "changes" in known else [item for part in parts for item in json.loads(part)]
            objects: dict[Key, dict[str, Any]] = {}
            for item in items:
                objects.setdefault((item["kind"], item["name"]), {}).update(item)
            changes = [Change(*key, item["before"], item["after"]) for key, item in objects.items()]
            entry = Entry(int(known["revision"]), known["time_s"], known["author"], known["comment"], changes)
            return cls(entry, known["id"], known["previous"], int(known["changes_ever"]))
        except _DAMAGE:
            raise StoreCorrupt("an entry of the history is damaged") from None


def _items(change: Change) -> Iterator[dict[str, Any]]:
    """Yield what an entry says of a change: an object that is large has an item for each of its two forms."""
    name = {"kind": change.kind, "name": change.name}
    forms = {"before": change.before, "after": change.after}
    if None in forms.values() or sum(len(dumped(form)) for form in forms.values()) <= PART_BYTES:
        yield name | forms
    else:
        yield from (name | {form: document} for form, document in forms.items())


def parts_of(value: bytes) -> tuple[str, int]:
    """Return the name of the parts of the entry with this value, and how many there are. Raises StoreCorrupt."""
    try:
        known = json.loads(value)
        return part_name(known["revision"], known["id"]), int(known.get("parts", 0))
    except _DAMAGE:
        raise StoreCorrupt("an entry of the history is damaged") from None


def checkpoint(objects: Iterable[Stored]) -> list[bytes]:
    """Return the values of the parts that keep these objects."""
    return chunked([stored.kind, stored.name, stored.revision, stored.document] for stored in objects)


def kept(parts: Sequence[bytes]) -> dict[Key, Stored]:
    """Return the objects that a checkpoint keeps. Raises StoreCorrupt."""
    try:
        found = (Stored(*item) for part in parts for item in json.loads(part))
        return {stored.key: stored for stored in found}
    except _DAMAGE:
        raise StoreCorrupt("a checkpoint of the store is damaged") from None


def applied(objects: Mapping[Key, Stored], records: Iterable[Record]) -> dict[Key, Stored]:
    """Return the objects after these writes."""
    after = dict(objects)
    for record in records:
        for change in record.entry.changes:
            if change.after is None:
                after.pop((change.kind, change.name), None)
            else:
                after[change.kind, change.name] = Stored(change.kind, change.name, record.entry.revision, change.after)
    return after


def taken_back(objects: Mapping[Key, Stored], records: Sequence[Record]) -> dict[Key, Document]:
    """Return the documents before these writes, of which the last one has led to `objects`."""
    before = {key: stored.document for key, stored in objects.items()}
    for record in reversed(records):
        for change in record.entry.changes:
            if change.before is None:
                before.pop((change.kind, change.name), None)
            else:
                before[change.kind, change.name] = change.before
    return before


def chunked(items: Iterable[Any]) -> list[bytes]:
    """Return JSON lists of these items, each of about PART_BYTES at most; there is always one."""
    chunks: list[bytes] = []
    texts: list[bytes] = []
    size = 0
    for text in map(dumped, items):
        if texts and size + len(text) > PART_BYTES:
            chunks.append(b"[" + b",".join(texts) + b"]")
            texts, size = [], 0
        texts.append(text)
        size += len(text) + 1
    return [*chunks, b"[" + b",".join(texts) + b"]"]


def dumped(value: Any) -> bytes:
    """Return a value as JSON that people can read."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
