"""The memory in which all processes of a node keep stored answers: one log that goes round, and an index of it.

Records are written one behind the other; the oldest ones are overwritten, so all answers of all workers together take
the bytes that the INI names and no more. A position counts every byte ever written; it is in the memory at its rest by
the size of the log. What a reader has found in use for long is written again at the end (`is_old`), so what is asked
for stays.

One process writes at a time. It is the only lock between processes, and nobody ever waits for it: who does not get it
does not store. It is a lock of the kernel's, which a process that dies gives back (kill -9 too). Readers take none.
A writer says which positions are no longer there before it overwrites them, and enters a record into the index when it
is whole; a reader looks at that limit after it has copied, so what was torn meanwhile counts as not there. A writer
that died has written behind the last record that is whole: the next one begins there again.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple, Self

from gproxy.shared.table import now_ms

# Cells of the head, each written by who holds the lock, except PURGED and PURGES.
_RESERVED: Final = 0  # positions below this one less the size of the log are overwritten, or soon will be
_WHOLE: Final = 1  # behind the last whole record
_OLDEST: Final = 2  # the oldest record that is still whole
_PURGED: Final = 8  # positions below this one count for nothing: written by who purges
_PURGES: Final = 9  # how often that was: the position stays the same while nothing is stored
_HEAD_CELLS: Final = 16

#: Who fetches what at the moment: a cell per fingerprint (in part), with until when (monotonic ms, lower half).
_LEASES: Final = 1024
_LOW: Final = (1 << 32) - 1

_WAYS: Final = 8
#: One place in the index for so many bytes of the log.
_BYTES_PER_PLACE: Final = 1024

# A record: its head, then the pieces; each begins at a multiple of the size of its head.
_RECORD_BYTES: Final = 64
_AT: Final = 0  # its own position
_LENGTH: Final = 1  # with head and filling
_PRINT: Final = 2  # 0: nothing, the rest of a round
_BYTES: Final = 3  # of the pieces
_ROW: Final = 4  # of the API that it is stored for
_GENERATION: Final = 5  # of that row

#: A single answer takes at most this part of the memory, and one that is further back than that part is old.
_LARGEST_PART: Final = 8
_OLD_PART: Final = 0.75


class Owner(NamedTuple):
    """The row of an API, and the generation of that row."""

    row: int
    generation: int


class CacheMemory:
    """The memory is `fd`, for `asked` bytes; `size` is that of the log. Processes forked after `create` share it."""

    __slots__ = (
        "_bytes",
        "_cells",
        "_hash",
        "_index",
        "_log",
        "_mapping",
        "_sets",
        "asked",
        "fd",
        "size",
    )

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.asked = size
        self._sets = max(1, size // _BYTES_PER_PLACE // _WAYS)
        self._index = _HEAD_CELLS + _LEASES
        ahead = (self._index + self._sets * _WAYS * 2) * 8
        self._log = -(-ahead // mmap.PAGESIZE) * mmap.PAGESIZE
        self.size = size // _RECORD_BYTES * _RECORD_BYTES
        os.ftruncate(fd, self._log + self.size)
        self._mapping = mmap.mmap(fd, self._log + self.size)
        self._bytes = memoryview(self._mapping)
        self._cells = self._bytes.cast("Q")
        self._hash = blake2b(digest_size=8)

    @classmethod
    def create(cls, size: int) -> Self:
        """Make an empty one for `size` bytes of answers; pages are taken as they are used. Raises OSError."""
        fd = os.memfd_create("gproxy-cache", os.MFD_CLOEXEC)
        try:
            return cls(fd, size)
        except OSError:
            os.close(fd)
            raise

    def close(self) -> None:
        """Let go of the memory; harmless when that was done."""
        if self.fd >= 0:
            self._cells.release()
            self._bytes.release()
            self._mapping.close()
            os.close(self.fd)
            self.fd = -1

    # -- reading -----------------------------------------------------------------------------------------------

    def at(self, key: bytes) -> int | None:
        """Return the position of what is stored under a key, None without anything: at one position it never changes.

        Another key may have the same fingerprint: what is there says its own.
        """
        print_ = self._print(key)
        base = self._set(print_)
        prints = self._cells[base : base + _WAYS].tolist()
        if print_ not in prints:
            return None
        at: int = self._cells[base + _WAYS + prints.index(print_)]
        return at if at >= self._lost() else None

    def is_old(self, at: int) -> bool:
        """Say whether a position is so far back that it will be overwritten before long."""
        return bool(self._cells[_RESERVED] - at > self.size * _OLD_PART)

    def get(self, at: int) -> bytes | None:
        """Return the pieces of a record in one; None when it is being overwritten."""
        cells = self._cells
        start = self._log + at % self.size
        record = start // 8
        length = cells[record + _BYTES]
        if cells[record + _AT] != at or length > self.size:
            return None
        data = self._bytes[start + _RECORD_BYTES : start + _RECORD_BYTES + length].tobytes()
        if at < self._lost():  # overwritten while it was copied, perhaps
            return None
        return data

    def _lost(self) -> int:
        """Return the position below which nothing is there any more."""
        return max(self._cells[_RESERVED] - self.size, self._cells[_PURGED])

    # -- writing -----------------------------------------------------------------------------------------------

    def put(
        self, key: bytes, pieces: Sequence[bytes], owner: Owner, only_over: int | None = None
    ) -> list[tuple[Owner, int]] | None:
        """Store pieces under a key, in place of what was there; with `only_over` if that is what is at this position.

        Returns whose answers were overwritten, with their bytes; None when nothing was stored: the pieces are too
        large, another process stores something, or has replaced or forgotten what was there.
        """
        size = sum([len(piece) for piece in pieces])
        if not self.has_room_for(size) or not self._lock():
            return None
        try:
            if only_over is not None and self.at(key) != only_over:
                return None
            return self._append(self._print(key), pieces, size, owner)
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def has_room_for(self, size: int) -> bool:
        """Say whether something of so many bytes may be stored."""
        return size + _RECORD_BYTES <= self.size // _LARGEST_PART

    def remove(self, key: bytes) -> None:
        """Forget what is stored under a key. Without the lock: at worst another answer of the same set is lost."""
        print_ = self._print(key)
        base = self._set(print_)
        for place in range(base, base + _WAYS):
            if self._cells[place] == print_:
                self._cells[place] = 0

    def purge(self) -> None:
        """Forget everything."""
        self._cells[_PURGED] = self._cells[_RESERVED]
        self._cells[_PURGES] += 1

    def purged(self) -> int:
        """Return a number that each purge changes."""
        return self._cells[_PURGES]

    def _lock(self) -> bool:
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _append(self, print_: int, pieces: Sequence[bytes], size: int, owner: Owner) -> list[tuple[Owner, int]]:
        cells = self._cells
        length = -(-(_RECORD_BYTES + size) // _RECORD_BYTES) * _RECORD_BYTES
        at = max(cells[_WHOLE], cells[_PURGED])  # the latter behind what a writer that died had reserved
        rest = self.size - at % self.size
        start = at + rest if rest < length else at
        end = start + length
        lost = self._make_room(end - self.size)
        cells[_RESERVED] = max(cells[_RESERVED], end)
        if start != at:
            self._write_head(at, rest, 0, 0, owner)
        self._write_head(start, length, print_, size, owner)
        place = self._log + start % self.size + _RECORD_BYTES
        for piece in pieces:
            self._bytes[place : place + len(piece)] = piece
            place += len(piece)
        cells[_WHOLE] = end
        self._enter(print_, start)
        return lost

    def _write_head(self, at: int, length: int, print_: int, size: int, owner: Owner) -> None:
        cells, head = self._cells, (self._log + at % self.size) // 8
        cells[head + _AT] = at
        cells[head + _LENGTH] = length
        cells[head + _PRINT] = print_
        cells[head + _BYTES] = size
        cells[head + _ROW] = owner.row
        cells[head + _GENERATION] = owner.generation

    def _make_room(self, until: int) -> list[tuple[Owner, int]]:
        """Give up the records before a position; return those that could still be found."""
        cells, lost = self._cells, []
        oldest = cells[_OLDEST]
        while oldest < until:
            head = (self._log + oldest % self.size) // 8
            length = cells[head + _LENGTH]
            if cells[head + _AT] != oldest or not 0 < length <= self.size:  # not ours: begin anew
                oldest = cells[_WHOLE]
                break
            print_ = cells[head + _PRINT]
            if print_ and self._leave(print_, oldest) and oldest >= cells[_PURGED]:
                lost.append((Owner(cells[head + _ROW], cells[head + _GENERATION]), cells[head + _BYTES]))
            oldest += length
        cells[_OLDEST] = oldest
        return lost

    # -- the index ---------------------------------------------------------------------------------------------

    def _print(self, key: bytes) -> int:
        hasher = self._hash.copy()
        hasher.update(key)
        return int.from_bytes(hasher.digest(), "little") or 1

    def _set(self, print_: int) -> int:
        """Return where a set begins: its fingerprints, then their positions."""
        return self._index + print_ % self._sets * _WAYS * 2

    def _enter(self, print_: int, at: int) -> None:
        """Point to a record: in the place of the one before, a place that is free, or that of the oldest one."""
        cells, base = self._cells, self._set(print_)
        places = range(base, base + _WAYS)
        same = [place for place in places if cells[place] == print_]
        if same:
            cells[same[0] + _WAYS] = at
            return
        place = min(places, key=lambda place: cells[place + _WAYS] if cells[place] else -1)
        cells[place] = 0  # nobody finds the new record under the old fingerprint
        cells[place + _WAYS] = at
        cells[place] = print_

    def _leave(self, print_: int, at: int) -> bool:
        """Stop pointing to a record; False when nothing did."""
        cells, base = self._cells, self._set(print_)
        for place in range(base, base + _WAYS):
            if cells[place] == print_ and cells[place + _WAYS] == at:
                cells[place] = 0
                return True
        return False

    # -- who fetches -------------------------------------------------------------------------------------------

    def lease(self, key: bytes, for_ms: int) -> bool:
        """Take it on to fetch what belongs under a key; False while another process does, for `for_ms` at most.

        Two that ask in the same moment may both be told yes: then both fetch.
        """
        print_ = self._print(key)
        cell = _HEAD_CELLS + print_ % _LEASES
        value, now = self._cells[cell], now_ms() & _LOW
        if value >> 32 == print_ >> 32 and 0 < (value - now) & _LOW < 1 << 31:
            return False
        self._cells[cell] = print_ >> 32 << 32 | (now + for_ms) & _LOW
        return True

    def release(self, key: bytes) -> None:
        """Say that it is fetched, or will not be."""
        print_ = self._print(key)
        cell = _HEAD_CELLS + print_ % _LEASES
        if self._cells[cell] >> 32 == print_ >> 32:
            self._cells[cell] = 0
