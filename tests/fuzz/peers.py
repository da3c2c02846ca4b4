"""Other implementations that read the same bytes: h11, and llhttp as geventhttpclient has it."""

from __future__ import annotations

import h11
from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from gproxy.core.http1 import CHUNKED

#: A body in chunks, and what it says.
CHUNKED_BODY, CHUNKED_PAYLOAD = b"3;x\r\nabc\r\n0\r\n\r\n", b"abc"


def body_of(length: int) -> tuple[bytes, bytes]:
    """Return the wire bytes of a body with that framing, and its payload."""
    return (CHUNKED_BODY, CHUNKED_PAYLOAD) if length == CHUNKED else (b"x" * length, b"x" * length)


def read_body(peer: h11.Connection) -> bytes:
    """Return the payload that h11 finds up to the end of the message; AssertionError when it finds no end."""
    payload = b""
    while True:
        event = peer.next_event()
        if isinstance(event, h11.EndOfMessage):
            return payload
        assert isinstance(event, h11.Data), event
        payload += bytes(event.data)


def asked() -> h11.Connection:
    """Return a client of h11 that has sent a GET, would change to another protocol, and waits for its response."""
    peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    fields = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
    peer.send(h11.Request(method="GET", target="/", headers=fields))
    peer.send(h11.EndOfMessage())
    return peer


class Llhttp(HTTPResponseParser):
    """Reads one response with llhttp. `fields` are its header fields; `failed` says that it was not valid."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[list[str]] = []
        self.payload = b""
        self.has_head = self.is_whole = self.failed = self._in_name = False

    def take(self, data: bytes) -> Llhttp:
        """Read on."""
        try:
            self.feed(data)
        except HTTPParseError:
            self.failed = True
        return self

    def end_to_end(self, without: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
        """Return the fields except those named, values without outer white space."""
        pairs = [(name.encode("latin-1"), value.encode("latin-1").strip(b" \t")) for name, value in self.fields]
        return [(name, value) for name, value in pairs if name.lower() not in without]

    def _on_message_begin(self) -> None:
        self.failed = self.failed or self.is_whole

    def _on_status(self, reason: str) -> None:
        pass

    def _on_header_field(self, name: str) -> None:
        if not self._in_name:
            self.fields.append(["", ""])
            self._in_name = True
        self.fields[-1][0] += name

    def _on_header_value(self, value: str) -> None:
        self._in_name = False
        self.fields[-1][1] += value

    def _on_headers_complete(self) -> bool:
        self.has_head = True
        return False

    def _on_body(self, data: bytearray) -> None:
        self.payload += bytes(data)

    def _on_message_complete(self) -> None:
        self.is_whole = True
