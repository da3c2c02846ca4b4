"""The keys of keyed rate limits: where each worker keeps its share of a key, in bounded memory.

A key is known by a 64-bit fingerprint, hashed with the table's secret so that nobody outside can choose keys that
meet. It belongs to one of KEY_SETS sets; there each worker has KEY_WAYS ways of its own: a fingerprint and a share. So
a worker finds the shares of all others by looking for the fingerprint in one block of memory, and replaces only what
is its own: the key that it has not met for the longest time. That is 196,608 keys per worker. At 100,000 live keys a
set has 24 of them on average, and one with more than 48 does not occur in 1,000 tables.

A key that was dropped begins anew, as if it had never been seen: with less owed, so nobody is refused because of it.
"""

from hashlib import blake2b
from struct import Struct

from gproxy.shared import layout
from gproxy.shared.table import Table

_PRINT_BYTES = layout.CELL_BYTES
_PREFIX = Struct("<IQ")
Share = tuple[int, int, int]


class Keys:
    """The keys as the worker in `slot` sees them."""

    def __init__(self, table: Table, slot: int) -> None:
        self._table = table
        self._cells = table.cells
        self._own = range(slot * layout.KEY_WAYS, (slot + 1) * layout.KEY_WAYS)
        secret = table.cells[layout.HEADER_SECRET].to_bytes(layout.CELL_BYTES, "little")
        self._hash = blake2b(digest_size=_PRINT_BYTES, key=secret)

    def find(self, row: int, tag: int, key: bytes, now: int) -> tuple[int, list[Share]]:
        """Return the first cell of the own share of a key, and (end, epoch, refused) of all workers that have one.

        `row` and `tag` say in which limit. A key that this worker has not met, or has dropped, gets a share of its own.
        """
        cells = self._cells
        fingerprint = self._fingerprint(row, tag, key)
        prints, base = self._set(fingerprint)
        own, shares = 0, []
        whole = int.from_bytes(fingerprint, "little")
        for index in self._places(prints, fingerprint):
            share = base + index * layout.KEY_CELLS
            end, epoch, refused = cells[share : share + layout.KEY_SEEN].tolist()
            if cells[prints + index] == whole:  # else it was replaced in this moment, and that is another key's share
                shares.append((end, epoch, refused))
                if index in self._own:
                    own = share
        if not own:
            own = self._replace_oldest(prints, base, whole)
            shares.append((0, 0, 0))
        cells[own + layout.KEY_SEEN] = now
        return own, shares

    def peek(self, row: int, tag: int, key: bytes) -> list[Share]:
        """Return the shares of a key without meeting it."""
        fingerprint = self._fingerprint(row, tag, key)
        prints, base = self._set(fingerprint)
        shares = []
        for index in self._places(prints, fingerprint):
            first = base + index * layout.KEY_CELLS
            end, epoch, refused = self._cells[first : first + layout.KEY_SEEN].tolist()
            shares.append((end, epoch, refused))
        return shares

    def _set(self, fingerprint: bytes) -> tuple[int, int]:
        """Return where the fingerprints and where the shares of a fingerprint's set begin."""
        key_set = int.from_bytes(fingerprint[:2], "little") % layout.KEY_SETS
        return self._table.key_prints_base(key_set), self._table.key_shares_base(key_set)

    def _fingerprint(self, row: int, tag: int, key: bytes) -> bytes:
        hashed = self._hash.copy()
        hashed.update(_PREFIX.pack(row, tag) + key)
        fingerprint = hashed.digest()
        return fingerprint if any(fingerprint) else b"\1" * _PRINT_BYTES

    def _places(self, prints: int, fingerprint: bytes) -> list[int]:
        """Return the places of a fingerprint in the block of its set: at most one per worker."""
        used = self._cells[layout.SLOTS_USED] * layout.KEY_WAYS
        block = self._cells[prints : prints + used].tobytes()
        places = []
        at = block.find(fingerprint)
        while at >= 0:
            index, rest = divmod(at, _PRINT_BYTES)
            if not rest:
                places.append(index)
            at = block.find(fingerprint, at + 1)
        return places

    def _replace_oldest(self, prints: int, base: int, fingerprint: int) -> int:
        """Give the own way of this set that has rested longest to a new key; returns the first cell of its share."""
        cells, first = self._cells, base + self._own.start * layout.KEY_CELLS
        seen = cells[first + layout.KEY_SEEN : first + layout.KEY_WAYS * layout.KEY_CELLS : layout.KEY_CELLS].tolist()
        way = seen.index(min(seen))
        share = first + way * layout.KEY_CELLS
        cells[prints + self._own.start + way] = 0  # nobody reads the share from here on
        for cell in (layout.LIMIT_END, layout.LIMIT_EPOCH, layout.LIMIT_REFUSED):
            cells[share + cell] = 0
        cells[prints + self._own.start + way] = fingerprint
        return share
