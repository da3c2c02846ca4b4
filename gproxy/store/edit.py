"""Writing to a store what was checked as a whole first, in one step, beside other writers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gproxy.core.change import Change, Objects, diff
from gproxy.core.problem import Problem
from gproxy.core.schema import check
from gproxy.store.base import Conflict, State, Store, Write

#: How often to try while others keep writing in between: each try loses only to a write that succeeded.
TRIES: Final = 20


class Rejected(Exception):
    """What would be written is not a valid configuration; nothing was written."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Plan:
    """What a write would do: the changes, from which revision on."""

    base_revision: int
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did. `revision` is the store's afterwards, also when nothing changed."""

    revision: int
    changes: Sequence[Change]


#: Makes the wanted objects out of the present ones; may raise to refuse.
Wish = Callable[[State], Objects]


def plan(store: Store, wish: Wish) -> Plan:
    """Return what `write` would do now. Raises Rejected, StoreError and what `wish` raises."""
    state = store.read()
    now = state.documents()
    wanted = check(wish(state))
    if wanted.problems:
        raise Rejected(wanted.problems)
    return Plan(state.revision, diff(now, wanted.compact()))


def write(store: Store, wish: Wish, author: str, comment: str = "") -> Written:
    """Make the store what `wish` says, whole or not at all.

    When somebody else writes in between, the wish is asked and checked again on what is there then. Raises
    Rejected, StoreError (Conflict when others kept winning) and what `wish` raises.
    """
    for _ in range(TRIES - 1):
        planned = plan(store, wish)
        try:
            return _carry_out(store, planned, author, comment)
        except Conflict:
            continue
    return _carry_out(store, plan(store, wish), author, comment)


def _carry_out(store: Store, planned: Plan, author: str, comment: str) -> Written:
    writes = [Write(change.kind, change.name, change.after) for change in planned.changes]
    revision = store.write(writes, author, comment, expected_revision=planned.base_revision)
    return Written(revision, planned.changes)
