"""Accepts connections from the shared listening sockets, in a way that spreads them evenly over the workers.

All workers watch the same sockets, so what waits in a queue is never lost with a worker. One connection is taken per
turn, and a worker that holds more than its share waits a moment before it takes another, so that the others go first.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

from gproxy.core.errors import Overloaded
from gproxy.shared import layout
from gproxy.worker.connection import Client
from gproxy.worker.forwarded import origin
from gproxy.worker.link import READ, WOULD_BLOCK, hub, tune

if TYPE_CHECKING:
    from gproxy.worker.runtime import Runtime

log = logging.getLogger(__name__)

#: how long a worker with more than its share leaves a waiting connection to the others
_YIELD_S = 0.002
#: what out of descriptors or memory means: try again this much later
_PAUSE_S = 0.1


class Acceptor:
    """Takes connections from one listening socket until it is stopped."""

    def __init__(self, listener: socket.socket, runtime: Runtime) -> None:
        self._listener = listener
        self._runtime = runtime
        self._trusted = runtime.settings.gproxy.trusted_proxies
        self._limit = runtime.settings.limits.connections
        self._watcher = hub.loop.io(listener.fileno(), READ)
        self._timer = hub.loop.timer(_YIELD_S)
        self._pause = hub.loop.timer(_PAUSE_S)
        self._watcher.start(self._ready)

    def stop(self) -> None:
        """Accept no more; what waits in the queue is left to the other workers."""
        self._watcher.stop()
        self._timer.stop()
        self._pause.stop()

    def _ready(self) -> None:
        if self._has_more_than_its_share():
            self._watcher.stop()
            self._timer.start(self._take_one)
        else:
            self._accept()

    def _take_one(self) -> None:
        self._watcher.start(self._ready)
        self._accept()

    def _has_more_than_its_share(self) -> bool:
        runtime = self._runtime
        mine = runtime.cells[runtime.base + layout.CONNECTIONS]
        if not mine:
            return False
        connections = runtime.accepting_connections()
        return mine * len(connections) > sum(connections)

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except WOULD_BLOCK:
            return
        except ConnectionAbortedError:
            return
        except OSError as error:  # no descriptors or memory left: the queue keeps the connection for later
            log.error("cannot accept connections, trying again", extra={"reason": error})
            self._watcher.stop()
            self._pause.start(self._take_one)
            return
        self._open(sock, address)

    def _open(self, sock: socket.socket, address: Any) -> None:
        try:
            tune(sock)
        except OSError:  # the client has left already
            sock.close()
            return
        runtime = self._runtime
        ip = "" if sock.family == socket.AF_UNIX else address[0]
        client = Client(sock, origin(ip, self._trusted), runtime)
        runtime.admit(client)
        if self._limit and len(runtime.clients) > self._limit:
            runtime.start(lambda: self._turn_away(client))

    def _turn_away(self, client: Client) -> None:
        runtime = self._runtime
        runtime.cells[runtime.base + layout.REFUSED_CONNECTIONS] += 1
        client.busy = True
        client.turn_away(Overloaded("This worker has as many connections as it may.", headers=(("Retry-After", "1"),)))
