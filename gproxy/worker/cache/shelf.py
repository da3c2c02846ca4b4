"""Where stored answers lie: the memory of the node, seen from one worker."""

from __future__ import annotations

import os
from typing import Final

from gproxy.core.cache_entry import HEADER_BYTES, Entry
from gproxy.core.cache_vary import Variants
from gproxy.shared import layout
from gproxy.shared.cache import CacheMemory, Owner
from gproxy.shared.table import Table

_MARK_BYTES: Final = 8
#: Entries that a worker keeps at hand: each at most so large, and all together.
_KNOWN_BYTES: Final = 1 << 16
_MOST_KNOWN_BYTES: Final = 1 << 21


def look(memory: CacheMemory, key: bytes, block: bytes) -> Entry | None:
    """Return what is stored for a request with these field lines, and leave it where it is; None without anything."""
    entry = _read(memory, key, memory.at(key))
    variants = Variants.of(entry) if entry is not None else None
    if variants is None:
        return entry
    key = variants.key(key, block)
    return _read(memory, key, memory.at(key))


def _read(memory: CacheMemory, key: bytes, at: int | None) -> Entry | None:
    """Return the entry of this key at a position."""
    data = memory.get(at) if at is not None else None
    if data is None:
        return None
    try:
        entry = Entry.unpacked(data)
    except ValueError:
        return None
    return entry if entry.key == key else None


class Shelf:
    """Finds and keeps answers for the worker in `slot`, and counts for the API (by its row) that they belong to."""

    def __init__(self, memory: CacheMemory, table: Table, slot: int) -> None:
        self.memory = memory
        self._table = table
        self._slot = slot
        self._known: dict[bytes, tuple[int, Entry]] = {}
        self._known_bytes = 0

    def find(self, key: bytes, block: bytes, row: int) -> Entry | None:
        """Return the answer to a request with these field lines, None without one."""
        entry = self._get(key, row)
        variants = Variants.of(entry) if entry is not None else None
        return entry if variants is None else self._get(variants.key(key, block), row)

    def place(self, key: bytes, block: bytes) -> bytes:
        """Return the key that an answer to a request with these field lines has, as far as is known."""
        first = _read(self.memory, key, self.memory.at(key))
        variants = Variants.of(first) if first is not None else None
        return key if variants is None else variants.key(key, block)

    def holds(self, size: int) -> bool:
        """Say whether a body of so many bytes has room, with a head of usual size."""
        return self.memory.has_room_for(size + HEADER_BYTES + 4096)

    def keep(self, entry: Entry, vary: tuple[bytes, ...], block: bytes, row: int) -> tuple[Entry, Variants | None]:
        """Store an answer if that can be; return it with the key that it has on the shelf, and the list it is in."""
        if not vary:
            self.put(entry, row)
            return entry, None
        first = self._get(entry.key, row)
        variants = Variants.of(first) if first is not None else None
        if variants is None or variants.names != vary:
            variants = Variants(vary, os.urandom(_MARK_BYTES))
            self.put(variants.entry(entry.key), row)
        entry = entry.under(variants.key(entry.key, block))
        self.put(entry, row)
        return entry, variants

    def put(self, entry: Entry, row: int, only_over: int | None = None) -> bool:
        """Store an entry under its key, as `CacheMemory.put` does; False when that cannot be now."""
        cells = self._table.cells
        owner = Owner(row, cells[self._table.generation_cell(row)])
        lost = self.memory.put(entry.key, entry.packed(), owner, only_over)
        if lost is None:
            return False
        for former, size in lost:
            if cells[self._table.generation_cell(former.row)] == former.generation:
                cells[self._table.row_base(self._slot, former.row) + layout.ROW_CACHE_EVICTED_BYTES] += size
        return True

    def forget(self, key: bytes) -> None:
        """Forget all answers to a target."""
        self.memory.remove(key)

    def _get(self, key: bytes, row: int) -> Entry | None:
        at = self.memory.at(key)
        known = self._known.get(key)
        if known is not None and known[0] == at:
            entry: Entry | None = known[1]
        else:
            entry = _read(self.memory, key, at)
            if entry is None or at is None:
                return None
            self._remember(key, at, entry)
        if at is not None and entry is not None and self.memory.is_old(at):
            self.put(entry, row, only_over=at)
        return entry

    def _remember(self, key: bytes, at: int, entry: Entry) -> None:
        """Keep a small entry at hand: as long as it is at this position it is the same."""
        size = len(key) + len(entry.lines) + len(entry.body)
        if size > _KNOWN_BYTES:
            return
        self._known_bytes += size
        if self._known_bytes > _MOST_KNOWN_BYTES:
            self._known.clear()
            self._known_bytes = size
        self._known[key] = at, entry
