"""The other ends of a worker's connections: clients and servers, as a test drives them on the same loop."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import gevent
import gevent.server
import gevent.socket
import gevent.ssl

from gproxy.core.chunked import ChunkedDecoder

#: no step of a test takes this long unless something is wrong
WITHIN_S = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_RESET = struct.pack("ii", 1, 0)


def eventually(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds; AssertionError when it does not in time."""
    with limited():
        while not condition():
            gevent.sleep(0.001)


def settled(value: Callable[[], object]) -> None:
    """Let the loop run until `value` has stopped changing: nobody goes on before something else happens."""
    turns, last = 0, value()
    with limited():
        while turns < 100:
            gevent.idle()
            turns, last = (turns + 1, last) if value() == last else (0, value())


@contextmanager
def limited() -> Iterator[None]:
    """Fail with AssertionError instead of waiting for ever."""
    with gevent.Timeout(WITHIN_S, AssertionError(f"nothing happened within {WITHIN_S} s")):
        yield


class Peer:
    """One end of a connection; what was read beyond a request or response is kept for the next call."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self._buffer = bytearray()

    @classmethod
    def connect(cls, address: tuple[str, int] | str) -> Self:
        """Connect to a TCP address or the path of a unix socket."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        sock = gevent.socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return cls(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        with limited():
            self.sock.sendall(data)

    def until(self, mark: bytes) -> bytes:
        """Read up to `mark` and with it; b"" when the connection ends cleanly before a byte came."""
        with limited():
            while mark not in self._buffer:
                if not self._fill():
                    assert not self._buffer, f"ended within {bytes(self._buffer[:100])!r}"
                    return b""
        return self._cut(self._buffer.index(mark) + len(mark))

    def head(self) -> bytes:
        """Read the head of a message, with its empty line."""
        return self.until(b"\r\n\r\n")

    def exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        with limited():
            while len(self._buffer) < size:
                assert self._fill(), f"ended {size - len(self._buffer)} bytes too early"
        return self._cut(size)

    def rest(self) -> bytes:
        """Read to the end of the connection; ConnectionResetError when it does not end cleanly."""
        with limited():
            while self._fill():
                pass
        return self._cut(len(self._buffer))

    def message(self) -> tuple[bytes, bytes]:
        """Read a message that has a Content-Length, or no body: (head, body)."""
        head = self.head()
        length = _LENGTH.search(head)
        return head, self.exactly(int(length[1])) if length else b""

    def chunked_body(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """Read a chunked body: (payload, trailers)."""
        decoder, payload = ChunkedDecoder(), bytearray()
        with limited():
            while not decoder.done:
                assert self._buffer or self._fill(), "ended within the chunked body"
                payload += decoder.feed(self._cut(len(self._buffer)))
                while decoder.has_more:
                    payload += decoder.feed(b"")
        self._buffer += decoder.rest
        return bytes(payload), decoder.trailers

    def end(self) -> None:
        """Send nothing more, go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close so that the other side gets a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def _fill(self) -> bool:
        """Wait for more bytes; False at the end."""
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)

    def _cut(self, size: int) -> bytes:
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found


class Backend:
    """A server on loopback that runs `script` on each connection. Use it as a context manager.

    `path` makes it a unix socket, `tls` a TLS server; `peers` are the connections so far. What a script raises, except
    that its connection ended, is raised at the end.
    """

    def __init__(
        self,
        script: Callable[[Peer], object],
        path: Path | None = None,
        tls: gevent.ssl.SSLContext | None = None,
    ) -> None:
        self.peers: list[Peer] = []
        self._errors: list[Exception] = []
        self._script = script
        self._listener = gevent.socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(str(path) if path else ("127.0.0.1", 0))
        self._listener.listen(64)
        self.address = f"unix:{path}" if path else "127.0.0.1:{1}".format(*self._listener.getsockname())
        options: dict[str, Any] = {"ssl_context": tls} if tls else {}
        self._server = gevent.server.StreamServer(self._listener, self._serve, **options)
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0)
        for peer in self.peers:
            peer.close()
        self._listener.close()
        if self._errors and error is None:
            raise self._errors[0]

    def _serve(self, sock: Any, address: object) -> None:
        peer = Peer(sock)
        self.peers.append(peer)
        try:
            self._script(peer)
        except OSError:  # the worker ended the connection
            pass
        except Exception as error:
            self._errors.append(error)


def answers(*responses: bytes) -> Callable[[Peer], None]:
    """Return a script that reads requests and sends these responses in turn, the last one again and again."""

    def script(peer: Peer) -> None:
        number = 0
        while peer.message()[0]:
            peer.send(responses[min(number, len(responses) - 1)])
            number += 1

    return script


def response(body: bytes = b"ok", *lines: bytes) -> bytes:
    """Return a whole 200 response with a Content-Length and these field lines (without line ends)."""
    fields = b"".join(line + b"\r\n" for line in (*lines, b"Content-Length: %d" % len(body)))
    return b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (fields, body)
