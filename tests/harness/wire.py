"""Strict reading of HTTP/1.1 messages (RFC 9112) from a socket, for both ends of the gateway.

What the gateway sends must be readable in one way only, so this reader accepts the canonical form and nothing else:
CRLF line ends, no folding, one Content-Length or one `Transfer-Encoding: chunked`, bare chunk sizes.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

_RECEIVE_BYTES = 262_144
#: no message of the tests has a longer line; a longer one is a reader that lost its place
_LINE_BYTES = 262_144
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_LENGTH = re.compile(rb"\d{1,18}")


class Malformed(AssertionError):
    """The peer sent what a strict reader must refuse."""


class Ended(Malformed):
    """The connection ended, or was reset, in the middle of a message."""


@dataclass(frozen=True, slots=True)
class Head:
    """Start line and fields of one message, names and values as they were on the wire."""

    start: bytes
    fields: tuple[tuple[bytes, bytes], ...]

    def values(self, name: str) -> list[str]:
        """Return the values of every field called `name`, in order."""
        key = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.fields if field.lower() == key]

    def value(self, name: str) -> str | None:
        """Return the value of the field `name`, None without one; raises Malformed when it is repeated."""
        values = self.values(name)
        if len(values) > 1:
            raise Malformed(f"{name} is repeated: {values}")
        return values[0] if values else None

    def names(self) -> set[str]:
        """Return the lower-case names of all fields."""
        return {name.decode("latin-1").lower() for name, _ in self.fields}

    def body_length(self) -> int | None:
        """Return the Content-Length in bytes, -1 when chunked, None when neither is there; raises Malformed."""
        length, coding = self.values("content-length"), self.values("transfer-encoding")
        if length and coding:
            raise Malformed(f"both Content-Length {length} and Transfer-Encoding {coding}")
        if len(length) > 1 or len(coding) > 1:
            raise Malformed(f"repeated framing fields: {length} {coding}")
        if coding:
            if coding[0].lower() != "chunked":
                raise Malformed(f"Transfer-Encoding {coding[0]!r}")
            return -1
        if length:
            if not _LENGTH.fullmatch(length[0].encode("latin-1")):
                raise Malformed(f"Content-Length {length[0]!r}")
            return int(length[0])
        return None


class Wire:
    """Reads messages from one socket; `received` keeps every byte when `record` is set, for looking at failures.

    Every read ends by `deadline` (monotonic seconds), when that is set, with TimeoutError.
    """

    def __init__(self, sock: socket.socket, record: bool = False) -> None:
        self.sock = sock
        self.deadline: float | None = None
        self.received = bytearray()
        self.trailers: tuple[tuple[bytes, bytes], ...] = ()
        self._record = record
        self._buffer = b""

    def more(self) -> bytes:
        """Return what is buffered or the next received bytes, b"" at the end; a reset raises ConnectionError."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        if self.deadline is None:
            self.sock.settimeout(None)
        else:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the deadline of this read is over")
            self.sock.settimeout(left)
        data = self.sock.recv(_RECEIVE_BYTES)
        if self._record:
            self.received += data
        return data

    def head(self) -> Head | None:
        """Read one head; None when the peer ended the connection before its first byte."""
        start = self._line(may_end=True)
        if start is None:
            return None
        return Head(start, self._fields())

    def fixed(self, length: int) -> Iterator[bytes]:
        """Yield exactly `length` bytes in the pieces in which they arrive; raises Ended."""
        while length:
            data = self._some()
            if len(data) > length:
                self._buffer = data[length:]
                data = data[:length]
            length -= len(data)
            yield data

    def chunked(self) -> Iterator[bytes]:
        """Yield the payload of a chunked body; `trailers` hold its trailer fields afterwards."""
        self.trailers = ()
        while True:
            line = self._line()
            if line is None or not _CHUNK_SIZE.fullmatch(line):
                raise Malformed(f"chunk size line {line!r}")
            size = int(line, 16)
            if not size:
                self.trailers = self._fields()
                return
            yield from self.fixed(size)
            if b"".join(self.fixed(2)) != b"\r\n":
                raise Malformed("a chunk does not end with CRLF")

    def until_end(self) -> Iterator[bytes]:
        """Yield everything until the peer closes; a reset raises ConnectionError."""
        while data := self.more():
            yield data

    def _fields(self) -> tuple[tuple[bytes, bytes], ...]:
        fields: list[tuple[bytes, bytes]] = []
        while line := self._line():
            match = _FIELD.fullmatch(line)
            if match is None:
                raise Malformed(f"field line {line!r}")
            fields.append((match[1], match[2]))
        return tuple(fields)

    def _line(self, may_end: bool = False) -> bytes | None:
        line = b""
        while b"\n" not in line:
            if len(line) > _LINE_BYTES:
                raise Malformed(f"endless line {line[:200]!r}")
            try:
                data = self.more()
            except ConnectionError as error:
                raise Ended(f"reset after {line!r}") from error
            if not data:
                if may_end and not line:
                    return None
                raise Ended(f"ended after {line!r}")
            line += data
        line, _, self._buffer = line.partition(b"\n")
        if not line.endswith(b"\r"):
            raise Malformed(f"line without CR: {line!r}")
        line = line[:-1]
        if b"\r" in line or b"\0" in line:
            raise Malformed(f"control characters in {line!r}")
        return line

    def _some(self) -> bytes:
        try:
            data = self.more()
        except ConnectionError as error:
            raise Ended("reset inside a body") from error
        if not data:
            raise Ended("ended inside a body")
        return data
