"""One value of bytes that one process publishes and others read: certificates with their keys.

It lies in anonymous memory that the master makes and every process inherits, never on a disk. The value has two
places in turn: what a reader reads stays as it is at least until the next version; a slower one reads again.
"""

import os
import struct
from typing import Final, Self

#: version, then the lengths of the values in both places; versions count publications
_HEADER: Final = struct.Struct("=QQQ")
_VERSION: Final = struct.Struct("=Q")
_LENGTH_AT: Final = (8, 16)
#: Where the places begin, far apart: what was never written takes no memory.
_PLACE_AT: Final = (1 << 12, 1 << 40)


class Vault:
    """The memory is `fd`; its first version is 0, which is an empty value."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def create(cls) -> Self:
        """Make an empty one. Raises OSError."""
        fd = os.memfd_create("gproxy-vault", os.MFD_CLOEXEC)
        os.pwrite(fd, _HEADER.pack(0, 0, 0), 0)
        return cls(fd)

    def version(self) -> int:
        """Return how often something was published."""
        version: int = _VERSION.unpack(os.pread(self.fd, _VERSION.size, 0))[0]
        return version

    def publish(self, value: bytes) -> int:
        """Replace the value and return its version; only one process does. Raises OSError when memory is short."""
        version = self.version() + 1
        place = version % 2
        rest, at = memoryview(value), _PLACE_AT[place]
        while rest:
            written = os.pwrite(self.fd, rest, at)
            rest, at = rest[written:], at + written
        os.pwrite(self.fd, _VERSION.pack(len(value)), _LENGTH_AT[place])
        os.pwrite(self.fd, _VERSION.pack(version), 0)
        return version

    def read(self) -> tuple[int, bytes]:
        """Return the version and the value."""
        while True:
            version, *lengths = _HEADER.unpack(os.pread(self.fd, _HEADER.size, 0))
            place = version % 2
            left, at, pieces = lengths[place], _PLACE_AT[place], []
            while left and (piece := os.pread(self.fd, left, at)):
                left, at = left - len(piece), at + len(piece)
                pieces.append(piece)
            if self.version() == version:
                return version, b"".join(pieces)

    def close(self) -> None:
        """Let go of the memory; harmless when that was done."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
