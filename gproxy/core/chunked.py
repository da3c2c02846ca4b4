"""The chunked transfer coding of request bodies (RFC 9112 7.1), decoded strictly and piece by piece.

The decoder keeps what follows the body: with pipelining that is the next request. Chunk extensions are dropped.
"""

from __future__ import annotations

import re

from gproxy.core.errors import BadRequest
from gproxy.core.http1 import split_fields

LAST_CHUNK = b"0\r\n\r\n"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[\t ]*;[\t !-~\x80-\xff]*)?\r\n")
_TRAILERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t !-~\x80-\xff]*\r\n)*\r\n")
#: longest chunk-size line with its extensions, and all trailer lines together: nobody honest needs more
_LINE_BYTES = 1024
_TRAILER_BYTES = 8192
#: chunks decoded in one go: so many of a byte each take half a millisecond, and come in 6 KB
_MOST_CHUNKS = 1000
#: of each chunk so many bytes besides payload are free, and twice its size; what is more adds up to at most so much
#: (the rule of Go's net/http, CVE-2023-39326)
_FREE_BYTES, _MOST_EXCESS = 16, 16384


def chunk(payload: bytes) -> bytes:
    """Return `payload` as one chunk, nothing for no payload (an empty chunk would end the body)."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


def last_chunk(trailers: list[tuple[bytes, bytes]], announced: frozenset[bytes]) -> bytes:
    """Return the end of a chunked body with those `trailers` that the head announced (RFC 9110 6.6.2)."""
    lines = [b"%b: %b\r\n" % (name, value) for name, value in trailers if name.lower() in announced]
    return b"0\r\n%b\r\n" % b"".join(lines) if lines else LAST_CHUNK


class ChunkedDecoder:
    """Decodes one body: `feed` wire bytes, get payload; afterwards `rest` are the bytes behind the body.

    `done` says that the last chunk and the trailers were read. `has_more`: more was fed than is decoded in one go; feed
    b"" for the next part. Raises BadRequest at the first deviation.
    """

    __slots__ = ("_excess", "_in_trailers", "_left", "_pending", "done", "has_more", "rest", "trailers")

    def __init__(self) -> None:
        self._pending = b""
        self._excess = 0
        self.has_more = False
        self._left = 0  # bytes of the current chunk still to come, with the CRLF behind them
        self._in_trailers = False
        self.done = False
        self.rest = b""
        self.trailers: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> bytes:
        """Take wire bytes and return the payload that they complete, b"" if there is none yet."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        self.has_more = False
        payload: list[bytes] = []
        at = 0
        while not self.done:
            if self._in_trailers:
                at = self._read_trailers(data, at)
            elif self._left:
                at = self._read_chunk(data, at, payload)
            else:
                at = self._read_whole_chunks(data, at, payload)
                if self.has_more:
                    break
                at = self._read_size(data, at)
            if at < 0:  # what is there does not decide the next step
                break
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def _read_whole_chunks(self, data: bytes, at: int, payload: list[bytes]) -> int:
        """Take the chunks that are there from end to end, as many as are decoded in one go; return where they end."""
        total, excess = len(data), self._excess
        for _ in range(_MOST_CHUNKS):
            line = _SIZE_LINE.match(data, at)
            if line is None:
                break
            begin = line.end()
            size = int(line[1], 16)
            end = begin + size
            if not size or begin - at > _LINE_BYTES or end + 2 > total or data[end : end + 2] != b"\r\n":
                break
            excess += begin - at - _FREE_BYTES - 2 * size
            if excess < 0:
                excess = 0
            payload.append(data[begin:end])
            at = end + 2
        else:
            self._pending, self.has_more = data[at:], at < total
        self._count(excess - self._excess)
        return at

    def _count(self, excess: int) -> None:
        """Bear with what is no payload, within bounds."""
        self._excess = max(0, self._excess + excess)
        if self._excess > _MOST_EXCESS:
            raise BadRequest("The chunks of the request body are little but extensions.")

    def _read_size(self, data: bytes, at: int) -> int:
        line = _SIZE_LINE.match(data, at)
        if line is None:
            partial = data[at:]
            end = partial.find(b"\n")
            if end >= 0 or len(partial) > _LINE_BYTES or not _could_be_size(partial):
                raise BadRequest("A chunk of the request body has an invalid size line.")
            self._pending = partial
            return -1
        if line.end() - at > _LINE_BYTES:
            raise BadRequest("A chunk of the request body has an invalid size line.")
        size = int(line[1], 16)
        self._count(line.end() - at - _FREE_BYTES - 2 * size)
        if size:
            self._left = size + 2
        else:
            self._in_trailers = True
        return line.end()

    def _read_chunk(self, data: bytes, at: int, payload: list[bytes]) -> int:
        left = self._left
        available = len(data) - at
        if left > 2:
            take = min(left - 2, available)
            if take:
                payload.append(data[at : at + take])
                self._left = left = left - take
                at += take
                available -= take
        if left > 2 or not available:
            return -1
        if data[at : at + left] != b"\r\n"[2 - left :][:available]:
            raise BadRequest("A chunk of the request body does not end where its size says.")
        taken = min(left, available)
        self._left = left - taken
        return at + taken if not self._left else -1

    def _read_trailers(self, data: bytes, at: int) -> int:
        match = _TRAILERS.match(data, at)
        if match is not None and match.end() - at <= _TRAILER_BYTES:
            self.trailers = split_fields(data[at : match.end() - 2])
            self.rest = data[match.end() :]
            self.done = True
            return match.end()
        partial = data[at:]
        if len(partial) > _TRAILER_BYTES or b"\r\n\r\n" in partial or partial.startswith(b"\r\n"):
            raise BadRequest("The trailers of the request body are malformed.")
        if re.search(rb"(?<!\r)\n|\r[^\n]|\x00", partial):
            raise BadRequest("The trailers of the request body are malformed.")
        self._pending = partial
        return -1


def _could_be_size(partial: bytes) -> bool:
    return re.fullmatch(rb"(?:[0-9A-Fa-f]{1,15}(?:[\t ]*(?:;[\t !-~\x80-\xff]*)?\r?)?)?", partial) is not None
