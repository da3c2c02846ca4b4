"""Takes over what people have written into the store with other tools, as far as it is valid.

It becomes a write like any other, checked as a whole and with an entry in the history. What is not valid is said and
left alone, and tried again whenever something else changes: it may have waited for just that.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from gproxy.core.change import Objects
from gproxy.core.events import Event, Kind, SnapshotCause
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from gproxy.store import edit
from gproxy.store.base import ABSENT, Key, State, Store, StoreError, Stray
from gproxy.store.edit import Rejected
from gproxy.store.salvage import key_of, merged, path_of, salvage
from gproxy.sync.complaint import Complaint

log = logging.getLogger(__name__)

#: Who and why, in the history: nobody knows who it was.
AUTHOR: Final = "by hand"
#: What was found invalid is tried again so much later at the earliest: each try checks the whole configuration.
AGAIN_S: Final = 2.0
COMMENT: Final = "written into the store with another tool"


class Adopter:
    """Looks after what was written by hand; `table` is told what is ignored."""

    def __init__(self, table: Table) -> None:
        self._cells = table.cells
        self._ring = RingWriter(table, table.slots + layout.RING_SYNC)
        self._tried: tuple[int, list[Stray]] = (-1, [])
        self._not_before_s = 0.0
        self._ignored: dict[Key, str] = {}
        self._trouble = Complaint("cannot take over what was written by hand")

    def look(self, store: Store, revision: int, now_s: float) -> None:
        """Take over what is valid, say what is not; `revision` is that of the store."""
        if self._trouble.wait_s(now_s):
            return
        try:
            strays = list(store.strays())
            if strays == self._tried[1] and (revision == self._tried[0] or now_s < self._not_before_s):
                self._trouble.settle(now_s)
                return
            ignored = take_over(store, strays) if strays else {}
            # In other words, but with the same meaning: nothing was written for them.
            done = [stray for stray in strays if key_of(stray) not in ignored]
            if done:
                store.settle(done)
        except StoreError as error:
            # No permission to write, perhaps: it can be followed all the same. An outage is met by who follows it.
            self._trouble.raise_(str(error), now_s)
            return
        self._trouble.settle(now_s)
        self._tried = revision, strays
        self._not_before_s = now_s + AGAIN_S
        news = [problem for key, problem in ignored.items() if self._ignored.get(key) != problem]
        self._ignored = dict(ignored)
        if news:
            self._cells[layout.SYNC_REJECTED] += 1
            self._ring.tell(Event(Kind.SNAPSHOT, SnapshotCause.REJECTED, figures=(revision, len(news), 0)))
        for problem in news:
            log.error("written by hand and ignored: %s", problem)


def take_over(store: Store, strays: Sequence[Stray]) -> Mapping[Key, str]:
    """Write what is valid of it, and return what is wrong with the rest, by object. Raises StoreError."""
    ignored: dict[Key, str] = {}

    def wish(state: State) -> Objects:
        ignored.clear()
        ignored.update((key_of(stray), f"{path_of(stray)} {stray.problem}") for stray in strays if stray.problem)
        # Whoever has written the object since then has also written over what was there by hand.
        fresh = [stray for stray in strays if not stray.problem and _base(state, stray) == stray.revision]
        good, wrong = salvage(state, fresh)
        ignored.update(wrong)
        return merged(state, good)

    try:
        edit.write(store, wish, AUTHOR, COMMENT)
    except Rejected as rejected:  # what is in force is not valid for this version: nothing can be added to it
        return {key_of(stray): str(rejected.problems[0]) for stray in strays}
    return ignored


def _base(state: State, stray: Stray) -> int:
    stored = state.objects.get(key_of(stray))
    return stored.revision if stored else ABSENT
