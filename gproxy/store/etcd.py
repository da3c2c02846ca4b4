"""The store that a fleet of nodes shares: keys below one prefix of an etcd cluster (see etcd_layout)."""

import contextlib
import random
import time
from collections.abc import Sequence
from typing import Final

from gproxy.core.change import Change
from gproxy.store.access import NOBODY, Access
from gproxy.store.base import (
    ABSENT,
    HISTORY_ENTRIES,
    WAIT_S,
    Conflict,
    Document,
    Entry,
    News,
    State,
    Store,
    Stored,
    StoreError,
    Stray,
    UnknownRevision,
    Write,
)
from gproxy.store.etcd_address import EtcdAddress
from gproxy.store.etcd_by_hand import ByHand
from gproxy.store.etcd_commit import Committer
from gproxy.store.etcd_layout import Layout
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.etcd_nodes import EtcdRegistry
from gproxy.store.etcd_records import taken_back
from gproxy.store.etcd_replica import Replica
from gproxy.store.etcd_watch import Alarm, EtcdWatch

#: How often to look without having been woken up: how late a change is seen when a stream of events has died.
LOOK_S: Final = 1.0
#: A stream that has ended is begun again after this time at the earliest.
WATCH_AGAIN_S: Final = 0.5
#: Who lost a race pauses for a random time up to this, doubled with each race lost.
PAUSE_S: Final = 0.002
MOST_PAUSE_S: Final = 1.0
#: Entries read at once when looking for those of one object.
_PAGE: Final = 100


class EtcdStore(Store):
    """The store at `address`. `wait_s` is how long to ask again while no member of the cluster answers."""

    def __init__(self, address: EtcdAddress, wait_s: float = WAIT_S, access: Access = NOBODY) -> None:
        self.source = address.source
        self._link = EtcdLink(address, access, wait_s)
        self._layout = layout = Layout(address.prefix)
        self._replica = Replica(self._link, layout)
        self._committer = Committer(self._link, layout, self._replica)
        self._by_hand = ByHand(self._link, layout, self._replica)
        self._watch: EtcdWatch | None = None
        self._watch_not_before_s = 0.0
        self.registry = self._nodes = EtcdRegistry(self._link, layout)
        try:
            self._replica.refresh()
        except BaseException:
            self._link.close()
            raise

    def read(self) -> State:
        """Return all objects of one moment."""
        self._replica.refresh()
        self._replica.is_other = False
        return State(self._replica.head.revision, self._replica.objects)

    def get(self, kind: str, name: str) -> Stored | None:
        """Return one object."""
        self._replica.refresh()
        return self._replica.objects.get((kind, name))

    def write(
        self,
        writes: Sequence[Write],
        author: str,
        comment: str = "",
        expected_revision: int | None = None,
    ) -> int:
        """Make all writes or none, in one new revision, and return it."""
        replica = self._replica
        pause_s = PAUSE_S
        while True:
            replica.refresh()
            current = replica.head.revision
            if expected_revision is not None and expected_revision != current:
                raise Conflict.of_store(expected_revision, current)
            changes = [
                change for item in writes if (change := _change(replica.objects.get((item.kind, item.name)), item))
            ]
            if not changes:
                return current
            revision = self._committer.commit(changes, author, comment)
            if revision is not None:
                with contextlib.suppress(StoreError):  # it is written; what people see is left to others
                    self._show()
                return revision
            time.sleep(random.uniform(0, pause_s))
            pause_s = min(2 * pause_s, MOST_PAUSE_S)

    def history(self, kind: str | None = None, name: str | None = None, limit: int = HISTORY_ENTRIES) -> list[Entry]:
        """Return entries, newest first."""
        return self._replica.consistent(lambda: self._history(kind, name, limit))

    def _history(self, kind: str | None, name: str | None, limit: int) -> list[Entry]:
        found: list[Entry] = []
        last = self._replica.head.revision
        while last >= self._replica.head.oldest and len(found) < limit:
            first = max(self._replica.head.oldest, last - min(_PAGE, limit) + 1)
            for record in reversed(self._replica.records(first, last)):
                entry = record.entry
                changes = [
                    change for change in entry.changes if kind in (None, change.kind) and name in (None, change.name)
                ]
                if changes:
                    found.append(Entry(entry.revision, entry.time_s, entry.author, entry.comment, changes))
            last = first - 1
        return found[:limit]

    def state_at(self, revision: int) -> dict[str, dict[str, Document]]:
        """Return the documents by kind and name as they were at a revision."""
        return self._replica.consistent(lambda: self._state_at(revision))

    def _state_at(self, revision: int) -> dict[str, dict[str, Document]]:
        head = self._replica.head
        if not 0 <= revision <= head.revision:
            raise UnknownRevision(f"there is no revision {revision}: the store is at {head.revision}")
        if revision < head.oldest - 1:
            raise UnknownRevision(f"revision {revision} is forgotten: the history begins at {head.oldest - 1}")
        records = self._replica.records(revision + 1, head.revision)
        found: dict[str, dict[str, Document]] = {}
        for (kind, name), document in sorted(taken_back(self._replica.objects, records).items()):
            found.setdefault(kind, {})[name] = document
        return found

    def watch(self, after_revision: int, timeout_s: float) -> News | None:
        """Wait until the revision is not `after_revision`; return what is new, None after `timeout_s`.

        None comes earlier when somebody has written by hand, or nodes have changed.
        """
        deadline_s = time.monotonic() + timeout_s
        replica, wait_s = self._replica, 0.0
        while True:
            alarm = self._woken(wait_s)
            self._by_hand.note(alarm.by_hand)
            if alarm.nodes:
                self._nodes.note()
            unseen_s = time.monotonic() - replica.seen_s
            if alarm.store or replica.head.revision != after_revision or unseen_s >= LOOK_S or not self._is_woken():
                replica.refresh()
                if replica.is_other or replica.head.revision != after_revision:
                    return self._news(after_revision)
                unseen_s = 0.0
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or alarm.by_hand or alarm.nodes:
                return None
            wait_s = min(left_s, max(0.0, LOOK_S - unseen_s))

    def strays(self) -> Sequence[Stray]:
        """Return what is shown, but was written by hand and is not in force (yet)."""
        if self._by_hand.is_left_unshown():
            self._replica.refresh()
            self._committer.show_all()
        if not self._by_hand.is_due:
            return self._by_hand.strays()
        return self._replica.consistent(self._by_hand.strays)

    def settle(self, strays: Sequence[Stray]) -> None:
        """Show what is in force where these are."""
        keys = self._by_hand.keys(strays)
        self._replica.refresh()
        self._committer.show_again([key for key in map(self._layout.key_of, keys) if key is not None])
        self._by_hand.note(keys)

    def close(self) -> None:
        """Close all connections."""
        if self._watch is not None:
            self._watch.close()
        self._link.close()

    def _show(self) -> None:
        """Show people what was written, unless that was done in the same step."""
        self._replica.refresh()
        if self._replica.head.shown != self._replica.head.revision:
            self._committer.show_all()

    def _is_woken(self) -> bool:
        """Tell whether a stream of events would wake this up."""
        return self._watch is not None and not self._watch.has_ended

    def _woken(self, wait_s: float) -> Alarm:
        """Wait for events, over a stream that is begun when there is none."""
        now_s = time.monotonic()
        is_here = self._watch is not None and self._is_woken() and self._watch.endpoint == self._link.endpoint
        if wait_s > 0 and not is_here and now_s >= self._watch_not_before_s:
            self._watch_not_before_s = now_s + WATCH_AGAIN_S
            if self._watch is not None:
                self._watch.close()
            self._watch = EtcdWatch(self._link, self._layout, self._replica.at + 1)
            self._by_hand.note_all()
        if self._watch is None or self._watch.has_ended:
            time.sleep(min(wait_s, WATCH_AGAIN_S))
            return _NOTHING
        return self._watch.wait(wait_s) or _NOTHING

    def _news(self, after_revision: int) -> News:
        replica = self._replica
        is_other, replica.is_other = replica.is_other, False
        head, objects = replica.head, replica.objects
        keys = None
        if not is_other and head.oldest - 1 <= after_revision <= head.revision:
            keys = replica.touched_after(after_revision)
            if keys is None:
                records = replica.consistent(lambda: replica.records(after_revision + 1, head.revision))
                keys = frozenset((item.kind, item.name) for record in records for item in record.entry.changes)
        if keys is None:
            return News(head.revision, list(objects.values()), is_whole=True)
        changed = [objects[key] for key in sorted(keys) if key in objects]
        return News(head.revision, changed, frozenset(key for key in keys if key not in objects))


_NOTHING: Final = Alarm()


def _change(theirs: Stored | None, item: Write) -> Change | None:
    """Return what the write changes, None when it is done already. Raises Conflict."""
    actual = theirs.revision if theirs else ABSENT
    if item.expected is not None and item.expected != actual:
        raise Conflict.of(item, theirs)
    before = theirs.document if theirs else None
    return None if before == item.document else Change(item.kind, item.name, before, item.document)
