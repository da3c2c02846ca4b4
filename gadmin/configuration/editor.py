"""Changes of the configuration: each checked as a whole, written in one step, with author and comment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gadmin.configuration.configuration import Configuration
from gadmin.configuration.follower import Follower
from gadmin.configuration.stores import Stores
from gproxy.core.change import Change, Document, Objects
from gproxy.core.references import used_by, without
from gproxy.store import edit
from gproxy.store.applied import Applied, wait_applied
from gproxy.store.base import Entry, State, Write
from gproxy.store.nodes import Node


class NoSuchObject(Exception):
    """There is no object of that kind and name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name}")


class InUse(Exception):
    """The object is referred to, so it stays. `users` are (kind, name)."""

    def __init__(self, kind: str, name: str, users: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"{kind} {name} is used by {', '.join(' '.join(user) for user in users[:5])}")
        self.users = users


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change did, or would do: `revision` is the store's afterwards."""

    revision: int
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who changes something, and why."""

    author: str
    comment: str = ""


class Editor:
    """Writes to the store; what was written is part of the followed state when a method returns."""

    def __init__(self, stores: Stores, follower: Follower[Configuration]) -> None:
        self._stores = stores
        self._follower = follower
        self._history: tuple[int, dict[tuple[str | None, str | None, int], list[Entry]]] = -1, {}

    def put(
        self, kind: str, name: str, document: Document, signature: Signature, expected: int | None = None
    ) -> Outcome:
        """Create or replace one object, only at the `expected` revision of it (ABSENT: only if there is none).

        Raises Rejected, Conflict, StoreError.
        """

        def wish(state: State) -> Objects:
            edit.expect(state, Write(kind, name, document, expected))
            documents = state.documents()
            return {**documents, kind: {**documents.get(kind, {}), name: document}}

        return self._write(wish, signature)

    def delete(
        self,
        kind: str,
        name: str,
        signature: Signature,
        expected: int | None = None,
        is_forced: bool = False,
        is_dry: bool = False,
    ) -> Outcome:
        """Delete one object; with `is_forced` also what refers to it, or its part there.

        Raises NoSuchObject, InUse, Conflict, StoreError.
        """

        def wish(state: State) -> Objects:
            documents = state.documents()
            if name not in documents.get(kind, {}):
                raise NoSuchObject(kind, name)
            edit.expect(state, Write(kind, name, None, expected))
            users = used_by(documents, kind, [name])
            if users and not is_forced:
                raise InUse(kind, name, users)
            return without(documents, kind, name)

        return self._plan(wish) if is_dry else self._write(wish, signature)

    def apply(
        self, objects: Mapping[str, Mapping[str, Document]], signature: Signature, is_dry: bool = False
    ) -> Outcome:
        """Make the store equal to these objects, for the kinds that are given. Raises Rejected, StoreError."""

        def wish(state: State) -> Objects:
            return {**state.documents(), **objects}

        return self._plan(wish) if is_dry else self._write(wish, signature)

    def rollback(self, revision: int, signature: Signature, is_dry: bool = False) -> Outcome:
        """Make everything as it was at a revision. Raises UnknownRevision, Rejected, StoreError."""
        with self._stores.use() as store:
            then = store.state_at(revision)
        if is_dry:
            return self._plan(lambda _: then)
        comment = signature.comment or f"rollback to revision {revision}"
        return self._write(lambda _: then, Signature(signature.author, comment))

    def history(self, kind: str | None = None, name: str | None = None, limit: int = 100) -> list[Entry]:
        """Return the newest entries, newest first. Raises StoreError."""
        # The history of a revision does not change, and one entry may hold thousands of documents.
        revision = self._follower.current.revision
        if self._history[0] != revision:
            self._history = revision, {}
        known, key = self._history[1], (kind, name, limit)
        if key not in known:
            with self._stores.use() as store:
                found = store.history(kind, name, limit)
            if found and found[0].revision > revision:
                return found  # somebody has just written
            known[key] = found
        return known[key]

    def state_at(self, revision: int) -> dict[str, dict[str, Document]]:
        """Return everything as it was at a revision. Raises UnknownRevision, StoreError."""
        with self._stores.use() as store:
            return store.state_at(revision)

    def wait_applied(self, revision: int, timeout_s: float) -> Applied:
        """Wait until every worker of every node runs the revision; the answer says who does not. Raises StoreError."""
        with self._stores.use() as store:
            return wait_applied(store.registry, revision, timeout_s)

    def nodes(self) -> list[Node]:
        """Return the nodes that follow the store. Raises StoreError."""
        with self._stores.use() as store:
            return store.registry.nodes()

    def _write(self, wish: edit.Wish, signature: Signature) -> Outcome:
        with self._stores.use() as store:
            written = edit.write(store, wish, signature.author, signature.comment, self._known())
        self._follower.wait_for(written.revision)
        return Outcome(written.revision, written.changes)

    def _known(self) -> edit.Known | None:
        """Return the state that is followed, None before there is one."""
        configuration = self._follower.current
        return edit.Known(configuration.state, configuration.checked) if configuration.revision >= 0 else None

    def _plan(self, wish: edit.Wish) -> Outcome:
        with self._stores.use() as store:
            state = store.read()
        return Outcome(state.revision, edit.plan(state, wish))
