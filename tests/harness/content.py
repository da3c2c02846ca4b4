"""Bodies whose every byte is known, so that a lost, doubled or swapped piece shows in the hash."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from functools import lru_cache

_PIECE_BYTES = 65_536
#: a prime length, so that repetitions never line up with buffers and pieces
_BASE = random.Random(9112).randbytes(65_521)
_DOUBLE = _BASE + _BASE + _BASE


def pieces(size: int, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes]:
    """Yield a body of `size` bytes in pieces of at most `piece_bytes` (at most 128 KiB)."""
    at = 0
    while at < size:
        start = at % len(_BASE)
        take = min(piece_bytes, size - at)
        yield _DOUBLE[start : start + take]
        at += take


def body(size: int) -> bytes:
    """Return the whole body of `size` bytes."""
    return b"".join(pieces(size))


@lru_cache(maxsize=64)
def sha256(size: int) -> str:
    """Return the hex hash of the body of `size` bytes."""
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    return digest.hexdigest()
