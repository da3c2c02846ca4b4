"""Vary (RFC 9110 section 12.5.5): answers that depend on fields of the request are kept one beside the other.

Under the key of the target itself then lies a *list*: the names of those fields and a random mark. Each answer has a
key of its own that is made of the values of those fields and of that mark, so that with the list all answers are gone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from gproxy.core.cache_entry import Entry
from gproxy.core.cache_request import Audience
from gproxy.core.http1 import CLAIMS, TOKEN, split_fields

_NAME: Final = re.compile(TOKEN)
#: Answers that depend on more fields than this are not stored.
_MOST_NAMES: Final = 16
#: Longer blocks are not remembered.
_KNOWN_BYTES: Final = 2048
#: What the gateway says itself, and differs from one request to the next.
_OWN: Final = CLAIMS | {b"via"}
#: The status of a list in the store, which no answer has.
_LIST: Final = 0


def vary_names(values: Sequence[bytes]) -> tuple[bytes, ...] | None:
    """Return the names in Vary in lower case and in order; None when no stored answer could be told to fit."""
    if not values:
        return ()
    names = {name.strip().lower() for value in values for name in value.split(b",")} - {b""}
    if len(names) > _MOST_NAMES or not _OWN.isdisjoint(names):
        return None
    return tuple(sorted(names)) if all(_NAME.fullmatch(name) and name != b"*" for name in names) else None


@dataclass(frozen=True, slots=True)
class Variants:
    """The list of a target whose answers vary."""

    names: tuple[bytes, ...]
    mark: bytes

    def key(self, key: bytes, block: bytes) -> bytes:
        """Return the key of the answer to a request with these field lines."""
        selected = _remembered if len(block) <= _KNOWN_BYTES else _selected
        return b"%b\0%b%b" % (key, self.mark, selected(block, self.names))

    def entry(self, key: bytes) -> Entry:
        """Return the list as it is stored."""
        names = b",".join(self.names)
        return Entry(key, names, self.mark, _LIST, 0.0, 0.0, 0.0, Audience.AUTHORIZED)

    @classmethod
    def of(cls, entry: Entry) -> Self | None:
        """Return the list that this entry is, None when it is an answer."""
        return cls(tuple(entry.lines.split(b",")), entry.body) if entry.status == _LIST else None


def _selected(block: bytes, names: tuple[bytes, ...]) -> bytes:
    """Return the values of these fields, told apart by their lengths; an absent one differs from an empty one."""
    found: dict[bytes, list[bytes]] = {name: [] for name in names}
    for name, value in split_fields(block):
        if name.lower() in found:
            found[name.lower()].append(value)
    return b"".join([b"%d:%b" % (len(values), _apart(values)) for values in found.values()])


_remembered = lru_cache(maxsize=1024)(_selected)


def _apart(values: Sequence[bytes]) -> bytes:
    return b"".join([b"%d:%b" % (len(value), value) for value in values])
