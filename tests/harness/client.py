"""A client of plain sockets: sends exactly the given bytes, reads answers strictly, every step with a deadline."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.harness.unread import wait_until_read
from tests.harness.wire import Ended, Head, Malformed, Wire

Address = tuple[str, int] | str


@dataclass(frozen=True, slots=True)
class Answer:
    """One final response, with the interim (1xx) ones that came before it.

    `size` and `sha256` describe the whole body; `body` holds it unless it was read with `keep=False`.
    """

    status: int
    head: Head
    body: bytes
    size: int
    sha256: str
    trailers: tuple[tuple[bytes, bytes], ...]
    interim: tuple[tuple[int, Head], ...]

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class RawClient:
    """One connection to `address` (host and port, or the path of a unix socket). Use it as a context manager.

    Every receive ends within `within_s` seconds, or raises TimeoutError.
    """

    def __init__(self, address: Address, within_s: float = 10.0, receive_buffer: int = 0) -> None:
        self.within_s = within_s
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        if not isinstance(address, str) and ":" in address[0]:
            family = socket.AF_INET6
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:  # before connecting: it decides the window that is offered
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(within_s)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wire = Wire(self.sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *parts: bytes) -> bool:
        """Send the parts one after another; False when the gateway closed its side before all was taken."""
        self.sock.settimeout(self.within_s)
        try:
            for part in parts:
                self.sock.sendall(part)
        except ConnectionError:
            return False
        return True

    def send_apart(self, parts: Iterable[bytes]) -> bool:
        """Send each part only after the gateway has read the one before it, so that none are joined on the way."""
        for part in parts:
            if not self.send(part):
                return False
            wait_until_read(self.sock)
        return True

    def get(self, target: str = "/", host: str = "gateway.test", headers: str = "") -> Answer:
        """Send a GET with the further header lines `headers` (each ending in CRLF) and read its answer."""
        self.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode("latin-1"))
        return self.receive()

    def post(
        self, target: str, body: bytes, host: str = "gateway.test", headers: str = "", method: str = "POST"
    ) -> Answer:
        """Send a request with a body of known length and read its answer."""
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.send(head.encode("latin-1") + body)
        return self.receive()

    def receive(self, method: str = "GET", keep: bool = True, within_s: float | None = None) -> Answer:
        """Read the answer to a request with `method`; raises Malformed, Ended, TimeoutError."""
        interim: list[tuple[int, Head]] = []
        while True:
            status, head = self.receive_head(within_s)
            if status >= 200:
                break
            interim.append((status, head))
        digest, size, kept = hashlib.sha256(), 0, []
        for piece in self.body_pieces(status, head, method):
            digest.update(piece)
            size += len(piece)
            if keep:
                kept.append(piece)
        trailers = self.wire.trailers
        return Answer(status, head, b"".join(kept), size, digest.hexdigest(), trailers, tuple(interim))

    def receive_head(self, within_s: float | None = None) -> tuple[int, Head]:
        """Read one response head, interim or final."""
        self.wire.deadline = time.monotonic() + (within_s or self.within_s)
        try:
            head = self.wire.head()
        except ConnectionError as error:
            raise Ended("reset instead of an answer") from error
        if head is None:
            raise Ended("closed instead of an answer")
        version, _, rest = head.start.partition(b" ")
        code, blank, _ = rest.partition(b" ")
        if version != b"HTTP/1.1" or not blank or len(code) != 3 or not code.isdigit():
            raise Malformed(f"status line {head.start!r}")
        return int(code), head

    def body_pieces(self, status: int, head: Head, method: str = "GET") -> Iterator[bytes]:
        """Yield the body of the final answer `head` as it arrives (RFC 9112 6.3)."""
        self.wire.trailers = ()
        length = head.body_length()
        if method == "HEAD" or status in (204, 304):
            return iter(())
        if length == -1:
            return self.wire.chunked()
        if length is None:
            return self.wire.until_end()
        return self.wire.fixed(length)

    def rest(self, within_s: float | None = None) -> bytes:
        """Return everything that still comes until the gateway closes; raises TimeoutError when it does not."""
        self.wire.deadline = time.monotonic() + (within_s or self.within_s)
        data = b""
        try:
            while more := self.wire.more():
                data += more
        except ConnectionError:
            pass
        return data

    def is_closed(self, within_s: float = 5.0) -> bool:
        """Say whether the gateway closes the connection within the time, sending nothing more."""
        try:
            rest = self.rest(within_s)
        except TimeoutError:
            return False
        if rest:
            raise Malformed(f"unexpected bytes before the close: {rest[:200]!r}")
        return True

    def end(self) -> None:
        """Say that nothing more will be sent (half-close)."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drop the connection with a reset, as a crashed client does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()
