"""The port to a store of configuration: what every kind of store must do, and how it fails.

One contract test suite (tests/store/contract.py) runs over every implementation.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from gproxy.core.change import Change
from gproxy.store.nodes import Registry

Document = Mapping[str, Any]
Key = tuple[str, str]  # kind, name

#: How many writes the history keeps: a busy day of editing by several people and scripts stays well below it.
HISTORY_ENTRIES: Final = 1_000
#: How many changed objects the history keeps in all, about 100 MB of documents: a thousand writes that each
#: replace 10,000 APIs would otherwise fill a disk. The newest entry always stays.
HISTORY_CHANGES: Final = 100_000
#: How long to wait for other users of a store: each needs milliseconds, so longer means that one is stuck.
WAIT_S: Final = 5.0
#: `Write.expected` for an object that must not exist yet.
ABSENT: Final = 0


class StoreError(Exception):
    """The store did not do what was asked; the text is one line that says why."""


class StoreUnavailable(StoreError):
    """The store cannot be used now: missing, locked, no permission, disk full. Worth another try."""


class StoreMissing(StoreUnavailable):
    """There is no store at that place, or an empty file: nobody has written to it yet, or it was deleted."""


class StoreCorrupt(StoreError):
    """The store's data is damaged, or is not a store's."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of the program."""


class UnknownRevision(StoreError):
    """The history does not reach back to that revision, or it has not been written yet."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One object; `revision` is that of the write that made it what it is."""

    kind: str
    name: str
    revision: int
    document: Document

    @property
    def key(self) -> Key:
        """The identity of the object within the store."""
        return self.kind, self.name


@dataclass(frozen=True, slots=True)
class Write:
    """One object to store, or to delete when `document` is None.

    `expected` is the revision that the object must have for the write to happen, `ABSENT` when it must not
    exist, None when it does not matter.
    """

    kind: str
    name: str
    document: Document | None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Stray:
    """What somebody has put where an object is shown, past this program, and what is not in force.

    `document` is None where the object was deleted, or where there is a `problem`: what is wrong with the text.
    `revision` is that of the object that is in force, `ABSENT` if there is none.
    """

    kind: str
    name: str
    document: Document | None
    revision: int
    problem: str = ""


class Conflict(StoreError):
    """Somebody else wrote first: nothing was written. `expected` and `actual` are revisions.

    For one object `mine` is what was to be written and `theirs` what is stored, each None where there is
    no object. For the whole store both are None.
    """

    def __init__(self, message: str, expected: int, actual: int) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual
        self.mine: Document | None = None
        self.theirs: Stored | None = None

    @classmethod
    def of_store(cls, expected: int, actual: int) -> Self:
        """Build the conflict of a write that expected the whole store at another revision."""
        return cls(f"the store is at revision {actual}, not at {expected} any more", expected, actual)

    @classmethod
    def of(cls, item: Write, theirs: Stored | None) -> Self:
        """Build the conflict of a write that expected the object at another revision."""
        expected = ABSENT if item.expected is None else item.expected
        actual = theirs.revision if theirs else ABSENT
        now = f"is at revision {actual}" if theirs else "does not exist"
        if not theirs:
            wanted = f"but was expected at revision {expected}"
        else:
            wanted = f"not at {expected}" if expected else "though it should not exist yet"
        conflict = cls(f"{item.kind} {item.name} {now}, {wanted}", expected, actual)
        conflict.mine, conflict.theirs = item.document, theirs
        return conflict


@dataclass(frozen=True, slots=True)
class State:
    """All objects at one revision."""

    revision: int
    objects: Mapping[Key, Stored]

    def documents(self) -> dict[str, dict[str, Document]]:
        """Return the documents by kind and name."""
        return documents(self.objects)


@dataclass(frozen=True, slots=True)
class News:
    """What happened after a revision, up to `revision`.

    `changed` holds the objects as they are now, `removed` the keys of those that are gone. When `is_whole`,
    the store could not tell the difference (history pruned, or another store has taken its place): `changed`
    is everything there is.
    """

    revision: int
    changed: Sequence[Stored]
    removed: frozenset[Key] = field(default_factory=frozenset)
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One write of the history. `time_s` is seconds since 1970 (UTC)."""

    revision: int
    time_s: float
    author: str
    comment: str
    changes: Sequence[Change]


class Store(ABC):
    """A store. An instance belongs to one thread; many processes may use the same store at the same time.

    Every method raises StoreUnavailable, StoreCorrupt or StoreTooNew when the store cannot serve it.
    """

    #: The URL of the store in one canonical form, without secrets: two names of one place are equal.
    source: str
    #: The nodes that follow the store.
    registry: Registry

    @abstractmethod
    def read(self) -> State:
        """Return all objects of one moment. An unwritten store has revision 0."""

    @abstractmethod
    def get(self, kind: str, name: str) -> Stored | None:
        """Return one object."""

    @abstractmethod
    def write(
        self,
        writes: Sequence[Write],
        author: str,
        comment: str = "",
        expected_revision: int | None = None,
    ) -> int:
        """Make all writes or none, in one new revision, and return it.

        Writing what is already there changes nothing; if that holds for all, the current revision is returned
        and no entry is made. `expected_revision` is the revision that the whole store must have. Raises
        Conflict. Documents are stored as they are: checking them is the business of `edit`.
        """

    @abstractmethod
    def history(self, kind: str | None = None, name: str | None = None, limit: int = HISTORY_ENTRIES) -> list[Entry]:
        """Return entries, newest first; of one kind or object only, with only its changes, when given."""

    @abstractmethod
    def state_at(self, revision: int) -> dict[str, dict[str, Document]]:
        """Return the documents by kind and name as they were at a revision. Raises UnknownRevision."""

    @abstractmethod
    def watch(self, after_revision: int, timeout_s: float) -> News | None:
        """Wait until the revision is not `after_revision`; return what is new, None after `timeout_s`.

        Writes are never skipped: watching from an old revision returns at once. A revision that is lower than
        `after_revision` is news too (a store that was replaced), with `is_whole`.
        """

    def strays(self) -> Sequence[Stray]:
        """Return what is shown, was written by hand and is not in force, in stores where that can be done."""
        return ()

    def settle(self, strays: Sequence[Stray]) -> None:
        """Show what is in force where these are."""
        return

    @abstractmethod
    def close(self) -> None:
        """Release everything; the instance must not be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def documents(objects: Mapping[Key, Stored]) -> dict[str, dict[str, Document]]:
    """Return the documents of objects by kind and name."""
    found: dict[str, dict[str, Document]] = {}
    for (kind, name), stored in objects.items():
        found.setdefault(kind, {})[name] = stored.document
    return found
