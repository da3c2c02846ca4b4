"""Backends on real sockets: one connection per thread, every answer spelled out by the test.

A backend of this kind can be wrong in any way a test needs. What the gateway sends to it, however, is read strictly:
anything that another server could read differently is noted in `violations`.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tests.harness.exchange import WITHIN_S, Exchange, Received
from tests.harness.wire import Ended, Head, Malformed, Wire

#: bytes are sent, a callable gets the exchange
Step = bytes | Callable[[Exchange], object]


class ScriptedBackend:
    """A server that plays one script per request, in the order in which requests arrive on any connection.

    `requests` are the complete ones, `heads` all that began. With no script left, `default` is played; without a
    default the request waits in `next_exchange()` for the test to drive it. `on_connect` runs on each new connection.
    """

    def __init__(
        self,
        default: Sequence[Step] | Callable[[Exchange], object] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        keep_bytes: int = 1_000_000,
        receive_buffer: int = 0,
        port: int = 0,
    ) -> None:
        self.default = default
        self.keep_bytes = keep_bytes
        self.on_connect: Callable[[socket.socket], object] | None = None
        self.requests: list[Received] = []
        self.heads: list[Head] = []
        self.violations: list[str] = []
        self.handshake_errors: list[str] = []
        self.connections = 0
        self.closed_connections = 0
        self._scripts: queue.SimpleQueue[Sequence[Step]] = queue.SimpleQueue()
        self._exchanges: queue.SimpleQueue[Exchange] = queue.SimpleQueue()
        self._tls = tls
        self._open: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._current: list[Exchange] = []
        self._listener = socket.socket()
        if receive_buffer:  # inherited by what is accepted
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        # Another backend may come to this port while connections of this one linger.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(512)
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def play(self, *steps: Step) -> None:
        """Add a script for one of the next requests."""
        self._scripts.put(steps)

    def next_exchange(self, within_s: float = WITHIN_S) -> Exchange:
        """Return the next request that has no script; raises AssertionError when none comes."""
        try:
            return self._exchanges.get(timeout=within_s)
        except queue.Empty:
            raise AssertionError(f"no request reached the backend within {within_s} s") from None

    def has_waiting_exchange(self) -> bool:
        """Say whether a request without script has arrived that nobody took."""
        return not self._exchanges.empty()

    def forget(self) -> None:
        """Start a new test: drop scripts, notes and every open connection."""
        for waiting in (self._scripts, self._exchanges):
            while not waiting.empty():
                waiting.get()
        self.drop_connections()
        self.default = None
        self.on_connect = None
        self.clear()

    def clear(self) -> None:
        """Drop the notes about what was received."""
        self.requests.clear()
        self.heads.clear()
        self.violations.clear()
        self.handshake_errors.clear()

    def drop_connections(self) -> None:
        """End every open connection from this side and wait until their threads are done."""
        with self._lock:
            socks = list(self._open.values())
        for sock in socks:
            _shut(sock)
        give_up = time.monotonic() + WITHIN_S
        while any(sock in self._open.values() for sock in socks):
            assert time.monotonic() < give_up, "a connection of the backend does not end"
            with self._lock:
                exchanges = list(self._current)
            for exchange in exchanges:
                exchange.finish()
            time.sleep(0.002)

    def open_connections(self) -> int:
        """Return how many connections are open now."""
        with self._lock:
            return len(self._open)

    def stop(self) -> None:
        """Close everything and wait for the threads."""
        self._stopping = True
        _shut(self._listener)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(WITHIN_S)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._stopping:
                    sock.close()
                    return
                self.connections += 1
                number = self.connections
                self._open[number] = sock
            self._start(self._serve, number, sock)

    def _serve(self, number: int, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock.settimeout(WITHIN_S)
                sock = self._tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open[number] = sock
            if self.on_connect is not None:
                self.on_connect(sock)
            self._converse(number, sock)
        except Malformed as error:
            if not isinstance(error, Ended):
                self.violations.append(str(error))
        except ssl.SSLError as error:
            self.handshake_errors.append(str(error))
        except (OSError, ValueError):
            pass  # the gateway or the test ended the connection
        finally:
            _shut(sock)
            sock.close()
            with self._lock:
                del self._open[number]
                self.closed_connections += 1

    def _converse(self, number: int, sock: socket.socket) -> None:
        wire = Wire(sock)
        while True:
            wire.deadline = None
            wire.trailers = ()
            head = wire.head()
            if head is None:
                return
            self.heads.append(head)
            self._check(head)
            exchange = Exchange(number, wire, head, self.requests.append, self.keep_bytes)
            with self._lock:
                self._current.append(exchange)
            try:
                self._play(exchange)
            except (Ended, OSError, ValueError):
                exchange.gone.set()
                raise
            finally:
                with self._lock:
                    self._current.remove(exchange)
            if not exchange.is_open or not exchange.body_read:
                return  # what is left of an unread body cannot be told from the next request

    def _play(self, exchange: Exchange) -> None:
        script = self._next_script()
        if callable(script):
            script(exchange)
        elif script is None:
            self._exchanges.put(exchange)
            exchange.finished.wait()
        else:
            for step in script:
                if callable(step):
                    step(exchange)
                else:
                    exchange.send(step)

    def _next_script(self) -> Sequence[Step] | Callable[[Exchange], object] | None:
        try:
            return self._scripts.get_nowait()
        except queue.Empty:
            return self.default

    def _check(self, head: Head) -> None:
        """Note what a request must not be, however it is meant: the gateway forwards one unambiguous form."""
        words = head.start.split(b" ")
        if len(words) != 3 or words[2] != b"HTTP/1.1" or not words[1].startswith((b"/", b"*")):
            self.violations.append(f"request line {head.start!r}")
        if len(head.values("host")) != 1:
            self.violations.append(f"Host fields {head.values('host')}")
        for name in ("keep-alive", "proxy-connection", "te", "upgrade"):
            if head.values(name):
                self.violations.append(f"hop-by-hop field {name}: {head.values(name)}")


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):  # ended already
        sock.shutdown(socket.SHUT_RDWR)
