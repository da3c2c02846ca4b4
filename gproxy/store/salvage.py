"""Taking the valid part of what somebody wants to add to a configuration, and saying what is wrong with the rest."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gproxy.core.change import Objects
from gproxy.core.problem import Problem
from gproxy.core.schema import PLURALS
from gproxy.store import edit
from gproxy.store.base import Document, Key, State
from gproxy.store.edit import Rejected


class Candidate(Protocol):
    """An object that somebody wants to store, or to delete when `document` is None."""

    @property
    def kind(self) -> str:
        """Its kind, maybe none that there is."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def document(self) -> Document | None:
        """What it should be."""


C = TypeVar("C", bound=Candidate)


def salvage(state: State, candidates: Sequence[C]) -> tuple[list[C], dict[Key, str]]:
    """Return those that can be written all together, and what is wrong with the others, by object."""
    ignored = {
        key_of(one): f"{path_of(one)} is of no known kind ({', '.join(PLURALS)})"
        for one in candidates
        if one.kind not in PLURALS
    }
    good = [one for one in candidates if one.kind in PLURALS]
    while good:
        wrong = _blamed(_problems(state, good), good)
        if not wrong:
            break
        ignored.update((key_of(one), problem) for one, problem in wrong)
        good = [one for one in good if key_of(one) not in ignored]
    return good, ignored


def merged(state: State, candidates: Sequence[Candidate]) -> Objects:
    """Return all objects with the candidates written into them."""
    objects = state.documents()
    for one in candidates:
        kind = objects.setdefault(one.kind, {})
        if one.document is None:
            kind.pop(one.name, None)
        else:
            kind[one.name] = one.document
    return objects


def key_of(one: Candidate) -> Key:
    """Return which object it is."""
    return one.kind, one.name


def path_of(one: Candidate) -> str:
    """Return how problems name the object."""
    return f"{PLURALS.get(one.kind, one.kind)}[{one.name}]" if one.kind else one.name


def _problems(state: State, candidates: Sequence[Candidate]) -> Sequence[Problem]:
    try:
        edit.plan(state, lambda state: merged(state, candidates))
    except Rejected as rejected:
        return rejected.problems
    return ()


def _blamed(problems: Sequence[Problem], candidates: Sequence[C]) -> list[tuple[C, str]]:
    """Return who is to blame for a problem: an object that has it, one that is missed, or else all."""
    found = [
        (one, str(problem))
        for one in candidates
        for problem in problems
        if problem.path.startswith(path_of(one)) or (one.document is None and f'"{one.name}"' in problem.message)
    ]
    return found or [(one, str(problems[0])) for one in candidates if problems]
