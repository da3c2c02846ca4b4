"""Accepts connections from the shared listening sockets, in a way that spreads them evenly over the workers.

All workers watch the same sockets, so what waits in a queue is never lost with a worker. A worker that holds more
connections than its share waits a moment before it takes another, so that the others go first.
"""

from __future__ import annotations

import logging
import socket
from time import monotonic
from typing import TYPE_CHECKING, Any

from gproxy.core.errors import Overloaded
from gproxy.entrances import redirect_port
from gproxy.shared import layout
from gproxy.worker.arrival import Arrival
from gproxy.worker.connection import Client
from gproxy.worker.forwarded import origin
from gproxy.worker.link import READ, WOULD_BLOCK, hub
from gproxy.worker.redirect import redirecting_desk

if TYPE_CHECKING:
    from gproxy.entrances import Entrance
    from gproxy.worker.forwarded import Origin
    from gproxy.worker.runtime import Runtime

log = logging.getLogger(__name__)

#: how long a worker with more than its share leaves a waiting connection to the others
_YIELD_S = 0.002
_MOST_PER_TURN = 16
#: those who are not to be believed are named in the log once in a while
_SAY_AGAIN_S = 60.0
#: what out of descriptors or memory means: try again this much later
_PAUSE_S = 0.1


class Acceptor:
    """Takes connections from one listening socket, which is that of `entrance`, until it is stopped."""

    def __init__(self, listener: socket.socket, runtime: Runtime, entrance: Entrance) -> None:
        self._listener = listener
        self._runtime = runtime
        self._entrance = entrance
        self._is_plain = not (entrance.speaks_tls or entrance.announces)
        self._desk = runtime.desk
        if entrance.redirects:
            self._desk = redirecting_desk(redirect_port(runtime.settings), runtime)
        self._trusted = runtime.settings.gproxy.trusted_proxies
        self._limit = runtime.settings.limits.connections
        self._said = -_SAY_AGAIN_S
        self._watcher = hub.loop.io(listener.fileno(), READ)
        self._timer = hub.loop.timer(0)
        self._watcher.start(self._ready)

    def stop(self) -> None:
        """Take what waits in the queue (the last worker to leave would reset it), and let go of the socket."""
        self._watcher.stop()
        self._timer.stop()
        while self._accept():
            pass
        self._timer.stop()
        self._listener.close()

    def _ready(self) -> None:
        """Take what waits, one by one, as long as this worker has no more than its share."""
        for _ in range(_MOST_PER_TURN):
            if self._runtime.peers.have_fewer(len(self._runtime.clients)):
                self._pause(_YIELD_S)
                return
            if not self._accept():
                return

    def _pause(self, seconds: float) -> None:
        self._watcher.stop()
        self._timer = hub.loop.timer(seconds)
        self._timer.start(self._go_on)

    def _go_on(self) -> None:
        """The others had their chance."""
        self._watcher.start(self._ready)
        self._accept()

    def _accept(self) -> bool:
        """Take one connection; False when there is none, or no means to take it."""
        try:
            sock, address = self._listener.accept()
        except WOULD_BLOCK:
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:  # no descriptors or memory left: the queue keeps the connection for later
            log.error("cannot accept connections, trying again", extra={"reason": error})
            self._pause(_PAUSE_S)
            return False
        self._open(sock, address)
        return True

    def _open(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        runtime, entrance = self._runtime, self._entrance
        peer = origin("" if sock.family == socket.AF_UNIX else address[0], self._trusted)
        if entrance.announces and peer.has_address and not peer.is_trusted:
            self._refuse_announcer(sock, peer)
            return
        client = Client(sock, peer, runtime) if self._is_plain else Arrival(sock, peer, runtime, entrance)
        client.desk = self._desk
        runtime.admit(client)
        if not entrance.announces and not runtime.has_room_for(client):
            client.close()
        elif self._limit and len(runtime.clients) > self._limit:
            runtime.start(lambda: self._turn_away(client))

    def _refuse_announcer(self, sock: socket.socket, peer: Origin) -> None:
        """Close a connection that would tell whom it comes from and is not to be believed."""
        self._runtime.count(layout.REFUSED_ANNOUNCEMENTS)
        now = monotonic()
        if now >= self._said + _SAY_AGAIN_S:
            self._said = now
            log.warning(
                "connection refused", extra={"from": peer.ip.decode("ascii"), "reason": "not in trusted_proxies"}
            )
        sock.close()

    def _turn_away(self, client: Client) -> None:
        self._runtime.count(layout.REFUSED_CONNECTIONS)
        client.busy = True
        client.turn_away(Overloaded("This worker has as many connections as it may."))
