"""Codes a body piece by piece, in steps that are small enough not to hold anybody up.

gzip is zlib's, br is brotli's own library, loaded with the first body that needs it. Every piece is flushed, so that
what a client has been sent can be read by it: answers that come little by little are not delayed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Protocol

from gproxy.core.compression import BROTLI

#: What is coded at once: half a millisecond to one.
_STEP_BYTES: Final = 1 << 14
#: zlib's sign for the container of gzip, and the windows that are worth their memory: 2 ** 9 to 2 ** 15 bytes
_GZIP, _LEAST_WINDOW, _MOST_WINDOW = 16, 9, 15
#: brotli's window (256 KB) and block (64 KB)
_WINDOW, _BLOCK = 18, 16
#: The highest quality of brotli that codes a step in a millisecond.
_MOST_QUALITY: Final = 5


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...


class _Gzip:
    """zlib's compressor."""

    __slots__ = ("_made", "compress")

    def __init__(self, level: int, size: int) -> None:
        bits = min(_MOST_WINDOW, max(_LEAST_WINDOW, size.bit_length())) if size >= 0 else _MOST_WINDOW
        self._made = zlib.compressobj(level, zlib.DEFLATED, _GZIP + bits)
        self.compress = self._made.compress

    def flush(self) -> bytes:
        return self._made.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._made.flush()


class _Brotli:
    """brotli's compressor, flushed in every step: it would gather several of them and code them at once (8 ms)."""

    __slots__ = ("_flush", "_process", "finish")

    def __init__(self, level: int) -> None:
        import brotli  # half a megabyte, of use only where somebody asks for it

        made = brotli.Compressor(quality=min(level, _MOST_QUALITY), lgwin=_WINDOW, lgblock=_BLOCK)
        self._process: Callable[[bytes], bytes] = made.process
        self._flush: Callable[[], bytes] = made.flush
        self.finish: Callable[[], bytes] = made.finish

    def compress(self, data: bytes, /) -> bytes:
        return self._process(data) + self._flush()

    def flush(self) -> bytes:
        return b""


class Coder:
    """Codes one body of `size` bytes, negative when nobody knows; `rest` is called between steps."""

    __slots__ = ("_compressor", "_rest")

    def __init__(self, coding: bytes, level: int, size: int, rest: Callable[[], None]) -> None:
        self._compressor: _Compressor = _Brotli(level) if coding == BROTLI else _Gzip(level, size)
        self._rest = rest

    def take(self, piece: bytes, is_last: bool) -> bytes:
        """Return what the next piece of the body is coded to; all of it can be decoded at once."""
        compressor, found = self._compressor, []
        for start in range(0, len(piece), _STEP_BYTES):
            if start:
                self._rest()
            found.append(compressor.compress(piece[start : start + _STEP_BYTES]))
        if is_last:
            found.append(compressor.finish())
        elif piece:
            found.append(compressor.flush())
        return b"".join(found)
