"""Writing to a store what was checked as a whole first, in one step, beside other writers."""

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gproxy.core.change import Change, Objects, diff
from gproxy.core.problem import Problem
from gproxy.core.schema import Checked, check
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


@dataclass(frozen=True, slots=True)
class Known:
    """A state that somebody has followed and checked: what has not changed since need not be read or checked again."""

    state: State
    checked: Checked


def plan(state: State, wish: Wish, checked: Checked | None = None) -> list[Change]:
    """Return what `write` would do to a store in that state. Raises Rejected and what `wish` raises.

    `checked` is the outcome of a check of very documents of that state, which are not checked again.
    """
    now = state.documents()
    wanted = check(wish(state), checked)
    if wanted.problems:
        raise Rejected(wanted.problems)
    return diff(now, wanted.compact(now))


def write(store: Store, wish: Wish, author: str, comment: str = "", known: Known | None = None) -> Written:
    """Make the store what `wish` says, whole or not at all.

    When somebody else writes in between, the wish is asked and checked again on what is there then. Raises
    Rejected, StoreError (Conflict when others kept winning) and what `wish` raises.

    What is `known` is tried first. It may be old, so that only what the store itself says is told as a failure.
    """
    if known is not None:
        with contextlib.suppress(Exception):  # whatever it is, the store is asked
            return _write_once(store, plan(known.state, wish, known.checked), author, comment, known.state.revision)
    tries = 0
    while True:
        tries += 1
        state = store.read()
        changes = plan(state, wish)
        try:
            return _write_once(store, changes, author, comment, state.revision)
        except Conflict:
            if tries == TRIES:
                raise
            time.sleep(random.uniform(0, min(MOST_PAUSE_S, PAUSE_S * 2**tries)))


def _write_once(store: Store, changes: Sequence[Change], author: str, comment: str, revision: int) -> Written:
    """Write the changes to a store at that revision. Raises StoreError."""
    writes = [Write(change.kind, change.name, change.after) for change in changes]
    return Written(store.write(writes, author, comment, revision), changes)


def expect(state: State, item: Write) -> None:
    """Raise Conflict unless the object is at the revision that the write expects."""
    stored = state.objects.get((item.kind, item.name))
    actual = stored.revision if stored else ABSENT
    if item.expected is not None and item.expected != actual:
        raise Conflict.of(item, stored)
