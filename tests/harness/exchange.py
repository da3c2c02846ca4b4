"""One request on one connection of a backend, and what the test does with it."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.harness.unread import wait_until_read
from tests.harness.wire import Head, Malformed, Wire

#: no step of a test takes longer
WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """One complete request as the backend understood it."""

    method: str
    target: str
    head: Head
    size: int
    sha256: str
    body: bytes
    trailers: tuple[tuple[bytes, bytes], ...]
    connection: int


class Exchange:
    """One request on one connection: the head is read, the rest is the script's business.

    A script runs in the connection's thread. Without a script the test itself drives the exchange from outside and
    says `finish()` at the end; then the connection waits for its next request.
    """

    def __init__(self, number: int, wire: Wire, head: Head, note: Callable[[Received], None], keep_bytes: int) -> None:
        self.number = number
        self.wire = wire
        self.head = head
        self._note_received = note
        self._keep_bytes = keep_bytes
        self.gone = threading.Event()
        self.finished = threading.Event()
        self.body_read = head.body_length() in (None, 0)
        self.is_open = True
        if self.body_read:
            self._note(b"", 0, hashlib.sha256(b"").hexdigest())

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.head.start.split(b" ")[0].decode("latin-1")

    @property
    def target(self) -> str:
        """The request target as it came."""
        return self.head.start.split(b" ")[1].decode("latin-1")

    def body_pieces(self, within_s: float | None = WITHIN_S) -> Iterator[bytes]:
        """Yield the request body as it arrives and note the request as complete at its end."""
        if self.body_read:
            return
        self.wire.deadline = None if within_s is None else time.monotonic() + within_s
        length = self.head.body_length()
        digest, size, kept = hashlib.sha256(), 0, []
        for piece in self.wire.chunked() if length == -1 else self.wire.fixed(length or 0):
            digest.update(piece)
            size += len(piece)
            if size <= self._keep_bytes:
                kept.append(piece)
            yield piece
        self.body_read = True
        self._note(b"".join(kept), size, digest.hexdigest())

    def read_body(self, within_s: float | None = WITHIN_S) -> None:
        """Read the whole request body."""
        for _ in self.body_pieces(within_s):
            pass

    def send_apart(self, parts: Iterable[bytes]) -> bool:
        """Send each part only after the gateway has read the one before it."""
        for part in parts:
            if not self.send(part):
                return False
            wait_until_read(self.wire.sock)
        return True

    def send(self, data: bytes) -> bool:
        """Send these bytes; False when the gateway has closed the connection."""
        try:
            self.wire.sock.settimeout(None)
            self.wire.sock.sendall(data)
        except (ConnectionError, ssl.SSLError):
            self.gone.set()
            return False
        return True

    def answer(self, body: bytes = b"ok", head: bytes = b"") -> bool:
        """Send a well-formed 200 with `body` and the further header lines `head`."""
        return self.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), head, body))

    def end(self) -> None:
        """Send no more (half-close)."""
        self.wire.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection properly: a script ends with this when the answer must end the connection."""
        self.is_open = False
        if isinstance(self.wire.sock, ssl.SSLSocket):
            self.wire.sock.settimeout(WITHIN_S)
            with contextlib.suppress(OSError, ValueError):  # the gateway need not say goodbye in its turn
                self.wire.sock.unwrap()
        self.wire.sock.close()

    def cut(self) -> None:
        """Close the connection, without the goodbye of TLS where there is one."""
        self.is_open = False
        self.wire.sock.close()

    def reset(self) -> None:
        """Drop the connection with a reset."""
        self.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def wait_gone(self) -> None:
        """Wait until the gateway closes the connection (`gone` tells the test), dropping what it still sends."""
        self.wire.deadline = None
        try:
            while self.wire.more():
                pass
        except (OSError, ValueError):  # ValueError: the descriptor of a socket closed meanwhile is -1
            pass
        self.is_open = False
        self.gone.set()

    def ends_within(self, seconds: float) -> bool:
        """Say whether the gateway closes the connection in time, sending nothing more."""
        self.wire.deadline = time.monotonic() + seconds
        try:
            rest = self.wire.more()
        except TimeoutError:
            return False
        except ConnectionError:
            rest = b""
        if rest:
            raise Malformed(f"unexpected bytes before the close: {rest[:200]!r}")
        return True

    def finish(self) -> None:
        """Let the connection go on to its next request (or, after `close`, end)."""
        self.finished.set()

    def _note(self, body: bytes, size: int, digest: str) -> None:
        request = Received(self.method, self.target, self.head, size, digest, body, self.wire.trailers, self.number)
        self._note_received(request)
