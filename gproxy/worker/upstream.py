"""Connections to servers: one link per connection, one pool of idle ones per endpoint.

An idle connection keeps its watcher armed, so one that the server closes leaves the pool in the same turn of the loop
and is never used again. The pool also learns how long a server keeps idle connections (`Keep-Alive: timeout=`, and
the age at which it was seen to close them) and retires its own a little earlier: the race that makes peers answer 502.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import gevent

from gproxy.core.backends import Endpoint
from gproxy.core.errors import BadUpstream, UpstreamTimeout
from gproxy.worker.connector import Connector, connector_for
from gproxy.worker.dechunk import Dechunker
from gproxy.worker.link import RECV_BYTES, WOULD_BLOCK, Link, LinkBroken, Wire, hub
from gproxy.worker.tls import TlsWire

if TYPE_CHECKING:
    from gproxy.worker.deadlines import Deadlines
    from gproxy.worker.exchange import Exchange

#: idle connections kept per endpoint and worker; more are closed when they come back
MOST_IDLE = 1024
#: share of a server's own idle limit that we use, and the shortest limit worth learning from
_SHARE, _SHORTEST_S = 0.75, 0.5

#: the loop's own time, which stands still within one turn
now = hub.loop.now


class UpstreamBroken(LinkBroken):
    """The server closed or reset the connection."""


class Taker(Protocol):
    """Who takes the answers that nobody waits for in a greenlet (express.py); called by the loop."""

    def finish(self, exchange: Any, upstream: Upstream, data: bytes) -> None:
        """Take what came first of the answer, b"" when the connection was closed."""
        ...

    def send_on(self, exchange: Any, upstream: Upstream, rest: memoryview) -> None:
        """The server has not taken `rest` of the request."""
        ...

    def fail(self, exchange: Any, error: Exception) -> None:
        """There will be no answer, or nobody wants it any more."""
        ...


class Upstream(Link):
    """One connection to a server. `idle_since` is 0 while it carries a request; `at_end`: the server has closed.

    `turn` is the loop's time of the turn in which it came back to the pool: until that turn is over nobody has looked
    whether it is still open. `waiting` is the exchange that waits for its answer without a greenlet, for `taker`.
    """

    __slots__ = ("_dechunker", "at_end", "idle_since", "pool", "taker", "turn", "waiting")
    broken = UpstreamBroken
    priority = 1  # that an idle connection has ended is heard before any request of the same turn can take it

    def __init__(self, wire: Wire, pool: Pool) -> None:
        super().__init__(wire, pool.deadlines)
        self.pool = pool
        pool.open += 1
        self.idle_since = 0.0
        self.at_end = False
        self.turn = 0.0
        self.waiting: Exchange | None = None
        self.taker: Taker
        self._dechunker: Dechunker | None = None

    def close(self) -> None:
        """Close the socket; harmless when it is closed already."""
        if not self.closed:
            self.pool.open -= 1
            super().close()

    def dechunker(self) -> Dechunker:
        """Return this connection's chunked decoder, ready for a new body."""
        if self._dechunker is None or not self._dechunker.is_reusable():
            self._dechunker = Dechunker()
        self._dechunker.begin()
        return self._dechunker

    def timed_out(self) -> UpstreamTimeout:
        """Return what the story of a request is told when the server is too slow."""
        return UpstreamTimeout("The server took too long to answer.", "no byte came within the deadline")

    def stalled(self) -> UpstreamTimeout:
        """Return what the story of a request is told when the server does not read it."""
        return UpstreamTimeout("The server took too long to read the request.", "took no byte within the deadline")

    def _ready(self) -> None:
        exchange = self.waiting
        if exchange is None:
            super()._ready()
            return
        try:
            data = self._recv(RECV_BYTES)
        except WOULD_BLOCK:
            return
        except OSError as error:
            self.interrupt(self.broken(str(error)))
            return
        self.waiting = None
        self.taker.finish(exchange, self, data)

    def unattended(self) -> None:
        """Somebody will read what comes later; in the pool, whatever comes is the connection's end."""
        if self.idle_since and self.is_alive():
            return
        if self.idle_since:
            self.pool.drop(self)
        else:
            self.disarm()

    def interrupt(self, error: Exception) -> bool:
        """Raise `error` where the answer is awaited, by a greenlet or without one."""
        exchange, self.waiting = self.waiting, None
        if exchange is None:
            return super().interrupt(error)
        self.taker.fail(exchange, error)
        return True

    def is_alive(self) -> bool:
        """Read an idle connection: TLS may have had something to say to itself, anything else is the end."""
        try:
            self._recv(1)
        except WOULD_BLOCK:
            return True
        except OSError:
            pass
        return False

    def idle_expired(self) -> None:
        """The idle limit has passed, or the time for an answer that is awaited without a greenlet."""
        if self.idle_since:
            self.pool.retire(self)
        elif self.waiting is not None:
            self.interrupt(self.timed_out())


class TlsUpstream(Upstream):
    """The same over TLS, where decrypted bytes may wait while the descriptor is silent."""

    __slots__ = ("_pending",)

    def __init__(self, wire: TlsWire, pool: Pool) -> None:
        super().__init__(wire, pool)
        self._pending = wire.pending

    def recv(self, size: int = RECV_BYTES) -> bytes:
        """Return what TLS has decrypted already, else park."""
        return self._recv(size) if self._pending() else super().recv(size)


class Pool:
    """The connections of one worker to one endpoint, the last used first; `open` counts them, those in use included."""

    __slots__ = ("_connector", "_idle", "_idle_s", "_most_idle", "_most_idle_s", "deadlines", "endpoint", "open")

    def __init__(self, endpoint: Endpoint, idle_s: float, deadlines: Deadlines) -> None:
        self.endpoint = endpoint
        self.deadlines = deadlines
        self.open = 0
        self._idle: dict[Upstream, None] = {}
        self._idle_s = self._most_idle_s = idle_s
        self._most_idle = MOST_IDLE
        self._connector: Connector | None = None

    @property
    def idle(self) -> int:
        """The number of connections that wait for a request."""
        return len(self._idle)

    def take(self, may_resend: bool) -> Upstream | None:
        """Return an idle connection, None when there is none. What cannot be resent gets one that is surely open."""
        while self._idle:
            upstream, _ = self._idle.popitem()
            upstream.idle_since = 0.0
            if may_resend or upstream.turn != now() or upstream.is_alive():
                return upstream
            upstream.close()
        return None

    def give(self, upstream: Upstream, server_idle_s: int, now_s: float | None = None) -> None:
        """Keep a connection whose response is complete. `server_idle_s`: what the server said of its limit, or 0."""
        if len(self._idle) >= self._most_idle:
            upstream.close()
            return
        if server_idle_s:
            self._idle_s = min(self._most_idle_s, max(_SHORTEST_S, server_idle_s * _SHARE))
        upstream.turn = now()
        upstream.idle_since = since = monotonic() if now_s is None else now_s
        upstream.deadline = deadline = since + self._idle_s
        if deadline < upstream.due:
            self.deadlines.enter(upstream, deadline)
        if not upstream._armed:
            upstream.arm()
        self._idle[upstream] = None

    def drop(self, upstream: Upstream) -> None:
        """The server closed an idle connection: forget it, and stay under that age from now on."""
        age = monotonic() - upstream.idle_since
        if age >= _SHORTEST_S:
            self._idle_s = min(self._idle_s, age * _SHARE)
        self._discard(upstream)

    def retire(self, upstream: Upstream) -> None:
        """An idle connection reached our limit before the server's: close it, and dare a little more next time."""
        self._idle_s = min(self._most_idle_s, self._idle_s * 1.1)
        self._discard(upstream)

    def close(self) -> None:
        """Close all idle connections now, and those in use when they come back."""
        self._most_idle = 0
        for upstream in list(self._idle):
            self._discard(upstream)

    def connect(self, connect_s: float) -> Upstream:
        """Open a connection within `connect_s` seconds (inf: no limit); raises BadUpstream, UpstreamTimeout."""
        timeout = gevent.Timeout(None if connect_s == float("inf") else max(connect_s, 0.001))
        try:
            with timeout:
                if self._connector is None:
                    self._connector = connector_for(self.endpoint)
                wire = self._connector.connect()
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            raise UpstreamTimeout("The server could not be reached in time.", "connect timed out") from None
        except (OSError, UnicodeError) as error:
            raise BadUpstream("The server could not be reached.", f"connect failed: {error}") from None
        return TlsUpstream(wire, self) if isinstance(wire, TlsWire) else Upstream(wire, self)

    def _discard(self, upstream: Upstream) -> None:
        self._idle.pop(upstream, None)
        upstream.close()
