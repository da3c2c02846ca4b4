"""Writing to a store what was checked as a whole first, in one step, beside other writers."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gproxy.core.change import Change, Objects, diff
from gproxy.core.problem import Problem
from gproxy.core.schema import check
from gproxy.store.base import ABSENT, Conflict, State, Store, Write

#: How often to try while others keep writing in between: each try loses only to a write that succeeded.
TRIES: Final = 60
#: Who lost a race pauses for a random time up to this, doubled with each race lost: of a thousand writers that begin at
#: the same moment, all get through, and most of their tries are not in vain.
PAUSE_S: Final = 0.005
MOST_PAUSE_S: Final = 8.0


class Rejected(Exception):
    """What would be written is not a valid configuration; nothing was written."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did. `revision` is the store's afterwards, also when nothing changed."""

    revision: int
    changes: Sequence[Change]


#: Makes the wanted objects out of the present ones; may raise to refuse.
Wish = Callable[[State], Objects]


def plan(state: State, wish: Wish) -> list[Change]:
    """Return what `write` would do to a store in that state. Raises Rejected and what `wish` raises."""
    now = state.documents()
    wanted = check(wish(state))
    if wanted.problems:
        raise Rejected(wanted.problems)
    return diff(now, wanted.compact(now))


def write(store: Store, wish: Wish, author: str, comment: str = "") -> Written:
    """Make the store what `wish` says, whole or not at all.

    When somebody else writes in between, the wish is asked and checked again on what is there then. Raises
    Rejected, StoreError (Conflict when others kept winning) and what `wish` raises.
    """
    tries = 0
    while True:
        tries += 1
        state = store.read()
        changes = plan(state, wish)
        writes = [Write(change.kind, change.name, change.after) for change in changes]
        try:
            return Written(store.write(writes, author, comment, state.revision), changes)
        except Conflict:
            if tries == TRIES:
                raise
            time.sleep(random.uniform(0, min(MOST_PAUSE_S, PAUSE_S * 2**tries)))


def expect(state: State, item: Write) -> None:
    """Raise Conflict unless the object is at the revision that the write expects."""
    stored = state.objects.get((item.kind, item.name))
    actual = stored.revision if stored else ABSENT
    if item.expected is not None and item.expected != actual:
        raise Conflict.of(item, stored)
