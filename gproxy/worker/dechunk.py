"""Chunked response bodies, decoded by geventhttpclient's llhttp parser: strict, in C, one reused per connection.

Heads are read by `core/http1`, so the parser is fed a constant head of its own and then the body. It cannot say where
in its input a body ends, which is why request bodies, with the next request behind them, use `core/chunked`; behind
the end of a response there must be nothing.
"""

from __future__ import annotations

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Dechunker(HTTPResponseParser):
    """Call `begin` before each body, then `feed_body` until `done`."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._trailer: list[str] = []
        self._in_name = False
        self._in_body = False
        self._failed = False
        self.done = True

    def begin(self) -> None:
        """Get ready for the next body."""
        self._in_body = False
        self.done = False
        self.feed(_HEAD)
        self._trailer.clear()
        self._in_body = True

    def feed_body(self, data: bytes) -> bytes:
        """Return the payload in `data`, which may be b""; raises ValueError when the coding is broken."""
        try:
            self.feed(data)
        except HTTPParseError as error:
            self._failed = True
            if not self.done:
                raise ValueError(f"invalid chunked body: {error.args[0]}") from None
        payload = b"".join(self._pieces)
        self._pieces.clear()
        return payload

    def trailers(self) -> list[tuple[bytes, bytes]]:
        """Return the trailer fields of the body that is done."""
        fields = [text.encode("latin-1") for text in self._trailer]
        return [(name, value.strip(b" \t")) for name, value in zip(fields[::2], fields[1::2], strict=True)]

    def is_reusable(self) -> bool:
        """Say whether the parser stands at the end of a whole body."""
        return self.done and not self._failed

    def _on_message_begin(self) -> None:
        if self._in_body:  # bytes behind the end of the body
            self._failed = True

    def _on_status(self, reason: str) -> None:
        pass

    def _on_header_field(self, name: str) -> None:
        if self.done:  # of what stands behind the body
            return
        if not self._in_name:
            self._trailer += ("", "")
            self._in_name = True
        self._trailer[-2] += name  # a name or value may come in pieces

    def _on_header_value(self, value: str) -> None:
        self._in_name = False
        if not self.done:
            self._trailer[-1] += value

    def _on_headers_complete(self) -> bool:
        return False

    def _on_body(self, data: bytearray) -> None:
        if not self.done:
            self._pieces.append(bytes(data))

    def _on_message_complete(self) -> None:
        self.done = True


class Measured:
    """A body whose length the head has told, taken as a decoder takes one that has an end of its own."""

    __slots__ = ("_has_more", "_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self._has_more = False
        self.done = not length

    def feed_body(self, data: bytes) -> bytes:
        """Return what of `data` belongs to the body."""
        payload = data[: self._left]
        self._left -= len(payload)
        self._has_more |= len(data) > len(payload)
        self.done = not self._left
        return payload

    def trailers(self) -> list[tuple[bytes, bytes]]:
        """Return nothing: only chunks have trailers."""
        return []

    def is_reusable(self) -> bool:
        """Say whether nothing came behind the body."""
        return self.done and not self._has_more
