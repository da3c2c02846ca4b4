"""Writing to an etcd store: one transaction on the head, whatever the size.

What does not fit into it is put beside the head first, where nobody looks before the head says so. A writer that dies
leaves nothing but parts that belong to no write; they are deleted with the history of that time.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gproxy.core.change import Change
from gproxy.store import etcd_client as client
from gproxy.store.base import HISTORY_CHANGES, HISTORY_ENTRIES, Entry, Key, Stored, StoreError
from gproxy.store.etcd_layout import Head, Layout, part_name
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.etcd_records import PART_BYTES, Record, applied, checkpoint, dumped, parts_of
from gproxy.store.etcd_replica import Replica

#: etcd takes 128 operations in a transaction unless it is told otherwise; the rest is for the store's own keys.
OBJECTS_AT_ONCE: Final = 100
#: A request may have 1.5 MB, and an object stands in one together with its name, the head and a word to watchers.
OBJECT_BYTES: Final = 1_400_000
#: A checkpoint is due when so much was written since the last one, or as much as that was large.
LEAST_SINCE_BYTES: Final = 1_000_000


class Committer:
    """Makes writes on top of what a replica knows."""

    def __init__(self, link: EtcdLink, layout: Layout, replica: Replica) -> None:
        self._link = link
        self._layout = layout
        self._replica = replica

    def commit(self, changes: Sequence[Change], author: str, comment: str) -> int | None:
        """Make the changes the next write and return its revision, None when somebody else was quicker."""
        before, layout = self._replica.head, self._layout
        self._refuse_too_large(changes)
        revision, identity = before.revision + 1, secrets.token_hex(8)
        entry = Entry(revision, time.time(), author, comment, changes)
        record = Record(entry, identity, before.id, before.changes + len(changes))
        value, parts = record.rendered()
        size = len(value) + sum(map(len, parts))
        head = self._pruned(
            replace(
                before,
                revision=revision,
                id=identity,
                changes=record.changes_ever,
                since_bytes=before.since_bytes + size,
            )
        )
        name = part_name(revision, identity)
        staged = self._stage(layout.parts, name, parts)
        if self._needs_checkpoint(head):
            objects = checkpoint(applied(self._replica.objects, [record]).values())
            staged += self._stage(layout.checkpoints, name, objects)
            head = replace(
                head,
                checkpoint=revision,
                checkpoint_id=identity,
                checkpoint_parts=len(objects),
                checkpoint_bytes=sum(map(len, objects)),
                since_bytes=0,
            )
        shown = self._shown(before, changes, size)
        if shown:
            head = replace(head, shown=revision)
        put = [client.put(layout.head, head.rendered()), client.put(layout.entry(revision), value)]
        if self._happened(head, [*put, *self._swept(before, head), *shown]):
            return revision
        for key in staged:
            self._link.transact((), [client.delete(key)])
        return None

    def _refuse_too_large(self, changes: Sequence[Change]) -> None:
        """Raise StoreError for an object that could be kept, but not be shown, or not be changed any more."""
        for change in changes:
            size = len(dumped(change.after))
            if size > OBJECT_BYTES:
                what = f"{change.kind} {change.name} is too large: {size} bytes, at most {OBJECT_BYTES}"
                raise StoreError(f"{self._link.source}: {what}")

    def _happened(self, head: Head, requests: Sequence[Any]) -> bool:
        """Carry the write out; tell whether it is in the store now.

        Its first attempt may have been answered to nobody, so when the head has moved on, the entry of our revision
        tells whose it is.
        """
        replica, layout = self._replica, self._layout
        demand = client.unchanged(layout.head, replica.head_at)
        done, answers = self._link.transact([demand], requests, [client.get(layout.entry(head.revision))])
        if done:
            return True
        found = client.pairs(answers[0])
        return bool(found) and parts_of(found[0].value)[0] == part_name(head.revision, head.id)

    def _stage(self, folder: str, name: str, parts: Sequence[bytes]) -> list[str]:
        """Put parts where nobody looks yet; returns their keys."""
        keys = [self._layout.part(folder, name, number) for number in range(len(parts))]
        for key, value in zip(keys, parts, strict=True):
            self._link.transact((), [client.put(key, value)])
        return keys

    def _shown(self, before: Head, changes: Sequence[Change], size: int) -> list[Any]:
        """Return the requests that show the changes to people, none if there is no room or earlier ones are due."""
        if before.shown != before.revision or len(changes) > OBJECTS_AT_ONCE or size > PART_BYTES:
            return []
        return [self.show(change.kind, change.name, change.after) for change in changes]

    def show(self, kind: str, name: str, document: Mapping[str, Any] | None) -> Any:
        """Return the request that shows people an object as it is."""
        key = self._layout.object((kind, name))
        return client.delete(key) if document is None else client.put(key, dumped(document))

    def _needs_checkpoint(self, head: Head) -> bool:
        """Tell whether too much lies behind the last checkpoint, or some of it would be pruned."""
        return (
            head.oldest > head.checkpoint + 1
            or head.revision - head.checkpoint > HISTORY_ENTRIES // 2
            or head.since_bytes > max(LEAST_SINCE_BYTES, head.checkpoint_bytes)
        )

    def _pruned(self, head: Head) -> Head:
        """Return the head with the bounds of the history kept; the newest entry always stays."""
        oldest = max(head.oldest, head.revision - HISTORY_ENTRIES + 1)
        pruned = head.pruned
        if oldest > head.oldest:
            pruned = self._changes_until(oldest - 1)
        while head.changes - pruned > HISTORY_CHANGES and oldest < head.revision:
            pruned = self._changes_until(oldest)
            oldest += 1
        return replace(head, oldest=oldest, pruned=pruned)

    def _changes_until(self, revision: int) -> int:
        """Return how many objects had ever been changed with this write."""
        found, _ = self._link.get(self._layout.entry(revision), at=self._replica.at)
        return Record.parse(found[0].value, []).changes_ever if found else self._replica.head.changes

    def _swept(self, before: Head, head: Head) -> list[Any]:
        """Return the requests that delete what no head leads to any more."""
        layout, requests = self._layout, []
        if head.oldest > before.oldest:
            requests.append(client.delete(layout.entry(before.oldest), layout.entry(head.oldest)))
            requests.append(client.delete(layout.parts, layout.part(layout.parts, part_name(head.oldest, ""))))
        if head.checkpoint > before.checkpoint:
            end = layout.part(layout.checkpoints, part_name(head.checkpoint, ""))
            requests.append(client.delete(layout.checkpoints, end))
        return requests

    # -- what people see ---------------------------------------------------------------------------------------

    def show_all(self) -> None:
        """Bring what people see in line with the head, in steps; somebody else who writes meanwhile takes over."""
        replica, layout = self._replica, self._layout
        head = replica.head
        keys = replica.touched_after(head.shown)
        requests = self._everything() if keys is None else [self._show(key, replica.objects.get(key)) for key in keys]
        batch: list[Any] = []
        size = 0
        for request in requests:
            if len(batch) == OBJECTS_AT_ONCE or (batch and size + request.ByteSize() > PART_BYTES):
                if not self._show_batch(batch):
                    return
                batch, size = [], 0
            batch.append(request)
            size += request.ByteSize()
        shown = replace(head, shown=head.revision)
        self._show_batch([*batch, client.put(layout.head, shown.rendered())])

    def show_again(self, keys: Sequence[Key]) -> None:
        """Show some objects as they are in force; left to others if somebody writes at the same time."""
        for first in range(0, len(keys), OBJECTS_AT_ONCE):
            batch = [self._show(key, self._replica.objects.get(key)) for key in keys[first : first + OBJECTS_AT_ONCE]]
            self._show_batch(batch)

    def _show_batch(self, batch: list[Any]) -> bool:
        """Write some objects; the store's own key among them tells watchers that nobody did so by hand."""
        layout = self._layout
        demand = client.unchanged(layout.head, self._replica.head_at)
        done, _ = self._link.transact([demand], [*batch, client.put(layout.shown, b"")])
        return done

    def _show(self, key: Key, stored: Stored | None) -> Any:
        return self.show(*key, stored.document if stored else None)

    def _everything(self) -> list[Any]:
        """Return the requests that show all objects, and delete whatever else is there."""
        objects = self._replica.objects
        there, _ = self._link.get(*self._layout.objects, bare=True)
        known = {self._layout.object(key) for key in objects}
        gone = [client.delete(pair.key) for pair in there if pair.key not in known]
        return [*gone, *(self._show(key, stored) for key, stored in objects.items())]
