"""Tunnels: once a server has switched protocols (101), bytes go both ways as they come, until one end has enough.

The bytes are moved by callbacks of the loop; the greenlet of the request only waits for the end, so its limits, its
circuit and its record hold as long as the tunnel. What one end does not take is not read from the other one.
"""

from __future__ import annotations

import contextlib
import socket
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.http1 import ResponseHead
from gproxy.core.upgrade import Upgrade
from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.link import READ, RECV_BYTES, WOULD_BLOCK, WRITE, Link, hub
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.upstream import Upstream

#: pieces that one end may send before the loop looks at the others
_MOST_PIECES = 4
#: how long an end may still talk after the other one has said all it has to say
_HALF_CLOSED_S = 30.0


def switch_protocols(exchange: Exchange, upstream: Upstream, head: ResponseHead, data: bytes) -> None:
    """Answer with the server's 101 and be a tunnel until that ends; `data` has come behind the head.

    Both connections are of no use afterwards. Raises ClientGone when the client has left before.
    """
    client, upgrade = exchange.client, exchange.upgrade
    assert upgrade is not None
    exchange.answered = monotonic()
    lines = head.lines
    for after in exchange.node.after:
        lines = after(exchange, lines)
    out = b"%bConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (lines, head.upgrade)
    exchange.status, exchange.keeps_alive, exchange.sent = 101, False, len(out)
    client.send(out)
    for link in (client, upstream):
        link.disarm()
        link.deadlines.forget(link)
    from_client, client.buffer = client.buffer, b""
    tunnel = Tunnel(exchange, upstream, upgrade)
    up, down = tunnel.run(from_client, data)
    exchange.received += up
    exchange.sent += down
    exchange.reason = tunnel.is_over
    if tunnel.is_broken:
        client.break_off()
    else:
        client.close()


class _Flow:
    """One direction: what comes from `source` goes to `sink`, and is not read faster than it goes."""

    __slots__ = ("_pending", "_reading", "_rest", "_sink", "_source", "_tunnel", "_writing", "has_ended", "moved")

    def __init__(self, tunnel: Tunnel, source: Link, sink: Link) -> None:
        self._tunnel = tunnel
        self._source = source
        self._sink = sink
        #: number of decrypted bytes that wait while the descriptor is silent, of TLS
        self._pending = getattr(source.wire, "pending", None)
        self._rest = memoryview(b"")
        self._reading = hub.loop.io(source.wire.fileno(), READ)
        self._writing = hub.loop.io(sink.wire.fileno(), WRITE)
        self.has_ended = False
        self.moved = 0

    def begin(self, data: bytes) -> None:
        """Pass on what has arrived already, then what comes."""
        if not data or self._write(data):
            self._go_on()

    def close(self) -> None:
        """Let go of the descriptors, which must still be open."""
        for watcher in (self._reading, self._writing):
            watcher.stop()
            watcher.close()

    def _go_on(self) -> None:
        self._reading.start(self._readable)
        if self._pending is not None:
            self._readable()

    def _readable(self) -> None:
        for _ in range(_MOST_PIECES):
            if self._tunnel.is_over or self.has_ended or self._rest:
                return
            try:
                data = self._source._recv(RECV_BYTES)
            except WOULD_BLOCK:
                return
            except OSError as error:
                self._tunnel.break_off(str(error))
                return
            if not data:
                self._end()
                return
            if not self._write(data) or self._pending is None:
                return
        self._tunnel.later(self._readable)

    def _write(self, data: bytes | memoryview) -> bool:
        """Write to the sink; False when it does not take everything: reading goes on when it has."""
        self._tunnel.lives()
        try:
            sent = self._sink._send(data)
        except WOULD_BLOCK:
            sent = 0
        except OSError as error:
            self._tunnel.break_off(str(error))
            return False
        self.moved += sent
        self._rest = memoryview(data)[sent:]
        if not self._rest:
            return True
        self._reading.stop()
        self._writing.start(self._writable)
        return False

    def _writable(self) -> None:
        if self._write(self._rest):
            self._writing.stop()
            self._go_on()

    def _end(self) -> None:
        """The source has said all it has to say: so the sink is told, which may still have something to say."""
        self.has_ended = True
        self._reading.stop()
        with contextlib.suppress(OSError):
            self._sink.wire.shutdown(socket.SHUT_WR)
        self._tunnel.half_closed()


class Tunnel:
    """Both directions of one exchange. `is_over` says afterwards why, `is_broken` that an end was gone."""

    __slots__ = (
        "_down",
        "_gauge",
        "_pause",
        "_runtime",
        "_until",
        "_up",
        "_upgrade",
        "deadline",
        "due",
        "is_broken",
        "is_over",
    )
    deadline: float
    due: float

    def __init__(self, exchange: Exchange, upstream: Upstream, upgrade: Upgrade) -> None:
        self._runtime = exchange.client.runtime
        self._upgrade = upgrade
        assert exchange.api is not None
        self._gauge = self._runtime.row_cell(exchange.api.row, layout.ROW_TUNNELS)
        self._pause = Pause()
        self._until: float = min(exchange.deadline, monotonic() + (upgrade.total_s or NEVER))
        self._up = _Flow(self, exchange.client, upstream)
        self._down = _Flow(self, upstream, exchange.client)
        self.deadline = NEVER
        self.due = NEVER
        self.is_broken = False
        self.is_over = ""

    def run(self, from_client: bytes, from_server: bytes) -> tuple[int, int]:
        """Move bytes until the tunnel has ended; returns how many went to the server and to the client.

        `from_client` and `from_server` have arrived already.
        """
        self._runtime.tunnels.add(self)
        self._runtime.count(layout.TUNNELS)
        self._runtime.cells[self._gauge] += 1
        try:
            self.lives()
            self._down.begin(from_server)
            self._up.begin(from_client)
            if not self.is_over:
                self._pause.park()
        finally:
            self._runtime.cells[self._gauge] -= 1
            self._runtime.tunnels.discard(self)
            self._runtime.deadlines.forget(self)
            self._up.close()
            self._down.close()
        return self._up.moved, self._down.moved

    def lives(self) -> None:
        """Note that bytes have moved."""
        idle_s = self._upgrade.idle_s
        if idle_s or self._until != NEVER:
            self._runtime.deadlines.set(self, min(self._until, monotonic() + (idle_s or NEVER)))

    def later(self, task: object) -> None:
        """Go on in the next turn of the loop."""
        self._runtime.next_turn.add(task)  # type: ignore[arg-type]

    def half_closed(self) -> None:
        """One end has said all: the other one has some time to do the same."""
        if self._up.has_ended and self._down.has_ended:
            self._finish("closed")
        else:
            self._until = min(self._until, monotonic() + _HALF_CLOSED_S)
            self.lives()

    def break_off(self, reason: str) -> None:
        """An end is gone: the other one shall see that it was no orderly end."""
        self.is_broken = True
        self._finish(f"broken off: {reason}")

    def drain(self) -> None:
        """The worker drains: end within drain_s."""
        self._until = min(self._until, monotonic() + self._upgrade.drain_s)
        self.lives()

    def expire(self) -> None:
        """Called by the wheel: the tunnel was idle, or open, for too long."""
        if self._runtime.draining:
            self._finish("the worker drains")
        else:
            self._finish("the total time is over" if monotonic() >= self._until else "idle for too long")

    def _finish(self, reason: str) -> None:
        if not self.is_over:
            self.is_over = reason
            hub.loop.run_callback(self._pause.wake)
