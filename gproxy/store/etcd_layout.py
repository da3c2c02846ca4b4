"""How a store lies in etcd: keys below one prefix, values that are JSON texts.

    PREFIX/KIND/NAME                         an object as a document, to be read and edited by people
    PREFIX/.store/head                       which write was the last one; every write changes it, so it decides races
    PREFIX/.store/history/0000000012         the entry of write 12: who, when, why, every object before and after
    PREFIX/.store/parts/0000000012-ID/000    changes of an entry that is too large for one key
    PREFIX/.store/checkpoint/0000000010-ID/000   all objects as of write 10, with the writes that made them
    PREFIX/.store/shown                      raised by whoever brings objects in line with a large write
    PREFIX/.nodes/ID                         a running node, under a lease
    PREFIX/.drains/ID                        the wish that this node takes no more traffic

The store is its checkpoint and the entries after it; the objects that people see are a copy. So a write is one
transaction on the head however large it is (what does not fit was put beside it before), nobody can read half of one,
and what somebody wrote by hand, right or wrong, is told from what is in force. Revisions are numbers of writes, as in
every store; etcd's own only serve to read everything as of one moment.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final, Self

from gproxy.store.base import Key, StoreCorrupt


class Layout:
    """The keys below a prefix."""

    def __init__(self, prefix: str) -> None:
        self.everything = f"{prefix}/"
        self.own = f"{prefix}/.store/"
        self.nodes = f"{prefix}/.nodes/"
        self.drains = f"{prefix}/.drains/"
        self.head = f"{self.own}head"
        self.shown = f"{self.own}shown"
        self.parts = f"{self.own}parts/"
        self.checkpoints = f"{self.own}checkpoint/"
        self._history = f"{self.own}history/"
        #: Every object's key is between these two: a dot is before, all that a kind begins with is behind.
        self.objects = (f"{prefix}/0", f"{prefix}0")

    def entry(self, revision: int) -> str:
        """Return the key of the entry of a write."""
        return f"{self._history}{revision:010}"

    def part(self, folder: str, name: str, number: int = 0) -> str:
        """Return the key of one part; `folder` is `parts` or `checkpoints`, `name` that of `part_name`."""
        return f"{folder}{name}/{number:03}"

    def object(self, key: Key) -> str:
        """Return the key of an object."""
        kind, name = key
        return f"{self.everything}{kind}/{name}"

    def key_of(self, key: str) -> Key | None:
        """Return which object a key is of, None if it is of none."""
        kind, _, name = key.removeprefix(self.everything).partition("/")
        return (kind, name) if kind and name and "/" not in name else None


def part_name(revision: int, identity: str) -> str:
    """Return the folder of the parts of a write: they sort by revision."""
    return f"{revision:010}-{identity}"


@dataclass(frozen=True, slots=True)
class Head:
    """Where the store is.

    `id` is random for each write: two histories that went apart never look alike. `oldest` is the first entry that is
    kept. `changes` counts all changed objects ever, `pruned` those of entries that are not kept. `checkpoint` has so
    many `parts`, and `since_bytes` of entries lie behind it. The objects that people see are those of `shown`.
    """

    revision: int = 0
    id: str = ""
    oldest: int = 1
    changes: int = 0
    pruned: int = 0
    checkpoint: int = 0
    checkpoint_id: str = ""
    checkpoint_parts: int = 0
    checkpoint_bytes: int = 0
    since_bytes: int = 0
    shown: int = 0

    def rendered(self) -> bytes:
        """Return the value of the key."""
        return json.dumps(asdict(self), separators=(",", ":")).encode("ascii")

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read the value of the key. Raises StoreCorrupt."""
        try:
            document = json.loads(value)
            return cls(**{name: type(getattr(NEW, name))(document[name]) for name in cls.__slots__})
        except (ValueError, TypeError, KeyError, RecursionError):
            raise StoreCorrupt("the head of the store is damaged") from None


NEW: Final = Head()
