"""How many connections each client address has open, over all workers of the node, in bounded memory.

Each worker counts its own connections in cells of its own: an address has one cell in each of two rows, hashed with the
table's secret. Its number is the smaller of the two sums over all workers: never too low, and too high only where other
addresses share both cells (with 20,000 of them connected, one address in fourteen counts one too many). An IPv6 address
stands for its /64, which is what one customer gets.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from hashlib import blake2b

from gproxy.shared import layout
from gproxy.shared.table import Table

_V6_PREFIX_BITS = 64


class Addresses:
    """The counts as the worker in `slot` keeps them. A *place* is what an address hashes to."""

    def __init__(self, table: Table, slot: int) -> None:
        self._cells = table.cells
        self._base = table.addresses_base(slot)
        self._first = table.addresses_base(0)
        self._secret = table.cells[layout.HEADER_SECRET].to_bytes(layout.CELL_BYTES, "little")
        #: an address (text) -> its place, never 0
        self.place = lru_cache(maxsize=4096)(self._hash)
        self._flag = table.base(slot) + layout.COUNTS_ADDRESSES

    def _hash(self, ip: bytes) -> int:
        digest = blake2b(_network(ip), digest_size=4, key=self._secret).digest()
        return 1 << 32 | int.from_bytes(digest, "little")

    def enter(self, place: int) -> None:
        """Count one connection more."""
        self._cells[self._flag] = 1
        for cell in _rows(place):
            self._cells[self._base + cell] += 1

    def leave(self, place: int) -> None:
        """Count one connection less."""
        for cell in _rows(place):
            self._cells[self._base + cell] -= 1

    def count(self, place: int) -> int:
        """Return how many connections the node has from an address, this worker's own included."""
        cells, step = self._cells, layout.ADDRESS_CELLS
        end = self._first + cells[layout.SLOTS_USED] * step
        return min(sum(cells[self._first + cell : end : step].tolist()) for cell in _rows(place))


def _rows(place: int) -> tuple[int, int]:
    """Return the offsets of the two cells of a place."""
    return place & layout.ADDRESS_MASK, layout.ADDRESS_MASK + 1 + (place >> 16 & layout.ADDRESS_MASK)


def _network(ip: bytes) -> bytes:
    """Return what is counted together with an address."""
    if b":" not in ip:
        return ip
    return (int(ipaddress.IPv6Address(ip.decode("ascii"))) >> _V6_PREFIX_BITS).to_bytes(8, "big")
