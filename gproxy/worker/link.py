"""A non-blocking socket with one read watcher that stays armed, and at most one greenlet parked on it per direction.

Why not gevent's cooperative sockets: each of their waits builds a waiter, starts and stops a watcher and follows a
recv that fails. Here the watcher's callback switches straight into the parked greenlet. When nobody is parked, the
link's `unattended` decides: idle connections notice data and closing at once, without owning a greenlet.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import termios
from array import array
from time import monotonic
from typing import ClassVar

from gevent.hub import get_hub
from greenlet import getcurrent, greenlet

from gproxy.worker.deadlines import NEVER, Deadlines
from gproxy.worker.pace import Pace
from gproxy.worker.tls import TlsWire

READ, WRITE = 1, 2
#: what one recv asks for, so that a head with a small body arrives whole, and what is moved at a time of a large body.
#: 48 KB cost the least for all: of 1 MB, pieces of 64 KB take 900 us instead of 400 where TCP runs BBR, 380 under CUBIC
RECV_BYTES = 3 << 14
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

#: what a link needs of a socket, plain or TLS
Wire = socket.socket | TlsWire
#: the loop of the importing process: workers import this module after the fork
hub = get_hub()
switch = greenlet.switch


class LinkBroken(Exception):
    """The peer reset the connection, or closed it while we wrote; `unsent`: before it took a byte of this message."""

    def __init__(self, reason: str, unsent: bool = False) -> None:
        super().__init__(reason)
        self.unsent = unsent


class ClientGone(LinkBroken):
    """The client closed its connection while its request was in flight (logged as 499)."""


class Link:
    """One connection. `recv` and `send` park the calling greenlet; one may read while another one writes.

    A wait ends with an exception when the deadline passes (`timed_out`) or the connection breaks (`broken`);
    subclasses say which exceptions these are.
    """

    __slots__ = (
        "wire",
        "_recv",
        "_send",
        "_watcher",
        "_armed",
        "_write_wait",
        "reader",
        "deadlines",
        "deadline",
        "due",
        "closed",
    )
    broken: ClassVar[type[LinkBroken]] = LinkBroken
    #: which links hear of their events first within one turn of the loop (libev: -2 to 2)
    priority: ClassVar[int] = 0

    def __init__(self, wire: Wire, deadlines: Deadlines) -> None:
        self.wire = wire
        self._recv = wire.recv
        self._send = wire.send
        self.reader: greenlet | None = None
        self.deadlines = deadlines
        self.deadline = NEVER
        self.due = NEVER
        self.closed = False
        self._watcher = hub.loop.io(wire.fileno(), READ, True, self.priority)
        self._watcher.start(self._ready)
        self._armed = True
        self._write_wait: _WriteWait | None = None

    def recv(self, size: int = RECV_BYTES) -> bytes:
        """Park until bytes arrive and return them, b"" when the peer has closed its side."""
        while True:
            if not self._armed:
                self._watcher.start(self._ready)
                self._armed = True
            self.reader = getcurrent()
            switch(hub)
            try:
                return self._recv(size)
            except WOULD_BLOCK:
                continue
            except OSError as error:
                raise self.broken(str(error)) from None

    def recv_into(self, buffer: memoryview, eager: bool) -> int:
        """Fill `buffer` and return the number of bytes, 0 at the end; `eager` tries once before it parks."""
        while True:
            if eager:
                try:
                    return self.wire.recv_into(buffer)
                except WOULD_BLOCK:
                    pass
                except OSError as error:
                    raise self.broken(str(error)) from None
            eager = True
            self.wait_readable()

    def wait_readable(self) -> None:
        """Park until the watcher fires."""
        self.arm()
        self.reader = getcurrent()
        switch(hub)

    def wait_writable(self) -> None:
        """Park until the peer takes bytes again."""
        wait = self._write_wait = _WriteWait(self)
        try:
            wait.park(monotonic() + self.deadlines.stall_s)
        finally:
            self._write_wait = None
            wait.close()

    def send(self, data: bytes | memoryview) -> None:
        """Write all of `data`, parking as long as the peer does not take it."""
        sent = self.send_some(data)
        if sent != len(data):
            self.send_rest(memoryview(data)[sent:])

    def send_some(self, data: bytes | memoryview) -> int:
        """Write what the peer takes at once, without parking; return the number of bytes."""
        try:
            return self._send(data)
        except WOULD_BLOCK:
            return 0
        except OSError as error:
            raise self.broken(str(error), unsent=True) from None

    def send_rest(self, rest: memoryview) -> None:
        """Write what is left of a message when the peer took no more at once."""
        wait, pace = _WriteWait(self), self.write_pace()
        self._write_wait = wait
        try:
            while rest:
                wait.park(pace.wait(monotonic()))
                events, sent = WRITE, 0
                try:
                    sent = self._send(rest)
                except ssl.SSLWantReadError:  # TLS has to hear something of the peer first
                    events = READ
                except WOULD_BLOCK:
                    pass
                except OSError as error:
                    raise self.broken(str(error)) from None
                wait.watch(events)
                pace.moved(sent, monotonic())
                rest = rest[sent:]
        finally:
            self._write_wait = None
            wait.close()

    def write_pace(self) -> Pace:
        """Return how slow the peer may be in taking a message."""
        return Pace(self.deadlines.stall_s, 0, monotonic())

    def _ready(self) -> None:
        reader = self.reader
        if reader is not None:
            self.reader = None
            reader.switch()
        else:
            self.unattended()

    def unattended(self) -> None:
        """Called when the socket is readable and nobody waits for it."""
        self.disarm()

    def arm(self) -> None:
        """Watch again after `disarm`."""
        if not self._armed:
            self._watcher.start(self._ready)
            self._armed = True

    def disarm(self) -> None:
        """Stop watching until somebody wants to read again."""
        self._watcher.stop()
        self._armed = False

    def expire(self) -> None:
        """Called by the wheel when the deadline has passed."""
        reader = self.reader
        if reader is not None:
            self.reader = None
            reader.throw(self.timed_out())
        else:
            self.idle_expired()

    def timed_out(self) -> Exception:
        """Return what a greenlet that waited too long is told."""
        return self.broken("timed out")

    def stalled(self) -> Exception:
        """Return what a greenlet is told whose bytes nobody took for too long."""
        return self.timed_out()

    def idle_expired(self) -> None:
        """Called when the deadline passed and nobody was waiting."""

    def interrupt(self, error: Exception) -> bool:
        """Raise `error` in the greenlet that is parked reading; False when there is none. Only from the hub."""
        reader = self.reader
        if reader is None:
            return False
        self.reader = None
        reader.throw(error)
        return True

    def close(self) -> None:
        """Close the socket; harmless when it is closed already. Nobody may be reading, a parked writer is told."""
        if self.closed:
            return
        self.closed = True
        self.deadlines.forget(self)
        if self._write_wait is not None:
            self._write_wait.give_up()
        self._watcher.stop()
        self._watcher.close()
        self.wire.close()


class _WriteWait:
    """A greenlet parked until a link is writable (or readable, see `watch`), with a deadline of its own."""

    __slots__ = ("_events", "_link", "_watcher", "_writer", "deadline", "due")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._writer: greenlet | None = None
        self._events = WRITE
        self._watcher = hub.loop.io(link.wire.fileno(), WRITE)
        self._watcher.start(self._ready)
        self.deadline = NEVER
        self.due = NEVER

    def watch(self, events: int) -> None:
        """Wait for READ or WRITE from now on."""
        if events != self._events:
            self._events = events
            self._watcher.stop()
            self._watcher.close()
            self._watcher = hub.loop.io(self._link.wire.fileno(), events)
            self._watcher.start(self._ready)

    def park(self, until: float) -> None:
        self._link.deadlines.set(self, until)
        self._writer = getcurrent()
        switch(hub)

    def _ready(self) -> None:
        writer = self._writer
        if writer is not None:
            self._writer = None
            writer.switch()

    def expire(self) -> None:
        self._fail(self._link.stalled())

    def give_up(self) -> None:
        """Let go of a descriptor that is about to be closed (libev aborts the process over one that it still has)."""
        self.close()
        hub.loop.run_callback(self._fail, self._link.broken("closed by the gateway"))

    def _fail(self, error: Exception) -> None:
        writer = self._writer
        if writer is not None:
            self._writer = None
            writer.throw(error)

    def close(self) -> None:
        self._link.deadlines.forget(self)
        self._watcher.stop()
        self._watcher.close()


def unsent(wire: Wire) -> int:
    """Return how many bytes the other side has not taken yet: the kernel would keep them after a close."""
    count = array("i", [0])
    fcntl.ioctl(wire.fileno(), termios.TIOCOUTQ, count)
    return count[0]


def tune(sock: socket.socket) -> None:
    """Make an accepted or connected socket non-blocking and free of Nagle's delay (44 ms per split message)."""
    sock.setblocking(False)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
