"""What a process knows of an etcd store, brought up to date with as little reading as possible."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from gproxy.store.base import Key, StoreCorrupt, Stored, StoreUnavailable
from gproxy.store.etcd_client import Compacted, Pair, end_of
from gproxy.store.etcd_layout import NEW, Head, Layout, part_name
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.etcd_records import Record, applied, kept, parts_of

T = TypeVar("T")

#: How often to begin again when etcd forgets a revision while it is being read.
TRIES: Final = 10
#: Of how many writes to remember which objects they touched: those that somebody may ask for again.
_REMEMBERED: Final = 1_000


class Replica:
    """All objects as of `head`; `at` is etcd's own revision at the last look, `head_at` that of the head."""

    def __init__(self, link: EtcdLink, layout: Layout) -> None:
        self._link = link
        self._layout = layout
        self.head = NEW
        self.head_at = 0
        self.at = 0
        self.seen_s = 0.0
        self.objects: Mapping[Key, Stored] = {}
        self.is_other = False
        self._is_filled = False
        self._touched: deque[tuple[int, frozenset[Key]]] = deque(maxlen=_REMEMBERED)

    def refresh(self) -> None:
        """Read what is new; `is_other` tells when the store is not the same as before (restored, or made anew)."""
        for _ in range(TRIES):
            try:
                return self._refresh()
            except Compacted:
                time.sleep(0.01)
        raise StoreUnavailable(f"{self._link.source}: it is compacted faster than it can be read")

    def consistent(self, read: Callable[[], T]) -> T:
        """Return what `read` returns after a refresh; both are done again when etcd forgets that revision meanwhile."""
        for _ in range(TRIES):
            self.refresh()
            with contextlib.suppress(Compacted):
                return read()
        raise StoreUnavailable(f"{self._link.source}: it is compacted faster than it can be read")

    def touched_after(self, revision: int) -> frozenset[Key] | None:
        """Return the objects that writes after `revision` touched, None when that is not known."""
        if revision == self.head.revision:
            return frozenset()
        if not self._touched or not self._touched[0][0] - 1 <= revision < self.head.revision:
            return None
        return frozenset().union(*(keys for written, keys in self._touched if written > revision))

    def records(self, first: int, last: int) -> list[Record]:
        """Return the entries of these revisions, as of the last look. Raises Compacted, StoreError."""
        layout = self._layout
        if first > last:
            return []
        found, _ = self._link.get(layout.entry(first), layout.entry(last + 1), at=self.at)
        return [self.record(pair) for pair in found]

    def record(self, pair: Pair) -> Record:
        """Return the entry that a pair holds, with its parts."""
        name, count = parts_of(pair.value)
        parts = self._parts(self._layout.parts, name, count)
        return Record.parse(pair.value, parts)

    def _refresh(self) -> None:
        found, self.at = self._link.get(self._layout.head)
        self.seen_s = time.monotonic()
        head = Head.parse(found[0].value) if found else NEW
        self.head_at = found[0].revision if found else 0
        before, was_filled = self.head, self._is_filled
        if was_filled and (head.revision, head.id) == (before.revision, before.id):
            self.head = head
            return
        if was_filled and before.revision >= head.oldest - 1 and before.revision < head.revision:
            records = self.records(before.revision + 1, head.revision)
            if len(records) == head.revision - before.revision and records[0].previous == before.id:
                self._take(head, applied(self.objects, records), records)
                return
        self._load(head)
        self.is_other |= was_filled

    def _load(self, head: Head) -> None:
        """Read everything."""
        objects: Mapping[Key, Stored] = {}
        if head.checkpoint:
            name = part_name(head.checkpoint, head.checkpoint_id)
            objects = kept(self._parts(self._layout.checkpoints, name, head.checkpoint_parts))
        records = self.records(head.checkpoint + 1, head.revision)
        if len(records) != head.revision - head.checkpoint:
            raise StoreCorrupt(f"{self._link.source}: entries of the history are missing")
        self._touched.clear()
        self._take(head, applied(objects, records), records)
        self._is_filled = True

    def _take(self, head: Head, objects: Mapping[Key, Stored], records: Sequence[Record]) -> None:
        self.head, self.objects = head, objects
        for record in records:
            keys = frozenset((change.kind, change.name) for change in record.entry.changes)
            self._touched.append((record.entry.revision, keys))

    def _parts(self, folder: str, name: str, count: int) -> list[bytes]:
        """Return the values of the parts, which are as many as they should be."""
        if not count:
            return []
        first = self._layout.part(folder, name)
        found, _ = self._link.get(first, end_of(first.removesuffix("000")), at=self.at)
        if len(found) != count:
            raise StoreCorrupt(f"{self._link.source}: parts of {name} are missing")
        return [pair.value for pair in found]
