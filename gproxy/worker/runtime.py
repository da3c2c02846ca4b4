"""What one worker has: its limits, its loop's parts, and the state that outlives requests and configurations."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from gproxy.core.balance import SmoothRoundRobin
from gproxy.core.http1 import RequestFields
from gproxy.core.snapshot import Cluster, Endpoint, Server, Snapshot
from gproxy.shared import layout
from gproxy.worker.access import FORMATS, AccessLog
from gproxy.worker.deadlines import NEVER, Deadlines
from gproxy.worker.gateway import Gateway
from gproxy.worker.link import hub, switch
from gproxy.worker.record import Recorder
from gproxy.worker.upstream import Pool

if TYPE_CHECKING:
    from gproxy.role import Context
    from gproxy.worker.connection import Client

log = logging.getLogger(__name__)

#: request field blocks that were parsed before, with a bound on memory: at most this many, each at most this long
_KNOWN_BLOCKS, _KNOWN_BYTES = 1024, 2048
#: parked greenlets kept for the next exchanges
_MOST_FREE = 1024

Task = Callable[[], None]


class Runtime:
    """The worker's state. Time limits are in seconds, NEVER when off; size limits in bytes, 0 when off."""

    def __init__(self, context: Context) -> None:
        limits, timeouts = context.settings.limits, context.settings.timeouts
        self.settings = context.settings
        self.head_bytes, self.head_fields = limits.head_bytes, limits.head_fields
        self.target_bytes, self.body_bytes = limits.target_bytes, limits.body_bytes
        self.head_s = timeouts.head_s or NEVER
        self.client_idle_s = timeouts.client_idle_s or NEVER
        self._upstream_idle_s = timeouts.upstream_idle_s or NEVER
        self.deadlines = Deadlines(timeouts.body_s)
        self.snapshot: Snapshot | None = None
        self.draining = False
        self.clients: set[Client] = set()
        self.cells, self.base = context.table.cells, context.table.base(context.slot)
        self._slot, self._table = context.slot, context.table
        self._free: list[greenlet] = []
        self._known_blocks: dict[bytes, RequestFields] = {}
        self._pools: dict[Endpoint, Pool] = {}
        self._pool_of: dict[Server, Pool] = {}
        self._balancers: dict[str, SmoothRoundRobin[Server]] = {}
        prefix, numbers = os.urandom(6).hex(), count(1)
        self.request_ids: Callable[[], bytes] = lambda: b"%b%08x" % (prefix.encode(), next(numbers))
        self.access_log = self._open_access_log()
        access = None
        if self.access_log is not None:
            add, line = self.access_log.add, FORMATS[context.settings.log.access_format]
            trusted = context.settings.gproxy.trusted_proxies
            access = lambda exchange: add(line(exchange, trusted))  # noqa: E731
        gateway = Gateway(self, Recorder(self.cells, self.base, access))
        self.handle, self.refuse = gateway.handle, gateway.refuse

    # -- greenlets ---------------------------------------------------------------------------------------------

    def start(self, task: Task) -> None:
        """Run `task` at once in a borrowed greenlet; only from a callback of the loop."""
        if self._free:
            self._free.pop().switch(task)
        else:
            greenlet(self._run, hub).switch(task)

    def start_soon(self, task: Task) -> None:
        """Run `task` in a borrowed greenlet in the next turn of the loop; from anywhere."""
        hub.loop.run_callback(self.start, task)

    def _run(self, task: Task) -> None:
        me = getcurrent()
        while True:
            try:
                task()
            except Exception:
                log.exception("a task of the worker failed")
            if len(self._free) >= _MOST_FREE:
                return
            self._free.append(me)
            task = switch(hub)

    # -- clients -----------------------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """Count a new connection."""
        self.clients.add(client)
        self.cells[self.base + layout.CONNECTIONS] += 1
        self.cells[self.base + layout.ACCEPTED] += 1

    def forget(self, client: Client) -> None:
        """Uncount a connection that was closed."""
        if client in self.clients:
            self.clients.remove(client)
            self.cells[self.base + layout.CONNECTIONS] -= 1

    def accepting_connections(self) -> list[int]:
        """Return the open connections of every worker that accepts."""
        cells, table = self.cells, self._table
        bases = [table.base(slot) for slot in range(table.slots)]
        return [
            cells[base + layout.CONNECTIONS] for base in bases if cells[base + layout.STATE] == layout.STATE_ACCEPTING
        ]

    def request_fields(self, block: bytes) -> RequestFields | None:
        """Return what an identical block of HTTP/1.1 field lines was parsed to before."""
        return self._known_blocks.get(block)

    def remember_request_fields(self, block: bytes, fields: RequestFields) -> None:
        """Keep the parsed form of a block: clients repeat theirs to the letter."""
        if len(block) <= _KNOWN_BYTES:
            if len(self._known_blocks) >= _KNOWN_BLOCKS:
                self._known_blocks.clear()
            self._known_blocks[block] = fields

    # -- servers -----------------------------------------------------------------------------------------------

    def pool(self, server: Server) -> Pool:
        """Return the connections to a server; servers of one endpoint share them, also across configurations."""
        pool = self._pool_of.get(server)
        if pool is None:
            endpoint = server.endpoint
            pool = self._pools.get(endpoint)
            if pool is None:
                pool = self._pools[endpoint] = Pool(endpoint, self._upstream_idle_s, self.deadlines)
            self._pool_of[server] = pool
        return pool

    def balancer(self, cluster: Cluster) -> SmoothRoundRobin[Server]:
        """Return the position in a cluster, which survives changes of its configuration."""
        balancer = self._balancers.get(cluster.name)
        if balancer is None:
            balancer = self._balancers[cluster.name] = SmoothRoundRobin(start=self._slot)
        return balancer

    def use(self, snapshot: Snapshot) -> None:
        """Serve from `snapshot` from now on; requests in flight finish on the one they began with."""
        self.snapshot = snapshot
        self._pool_of.clear()
        for endpoint in [known for known in self._pools if known not in snapshot.endpoints]:
            self._pools.pop(endpoint).close()
        for name in [known for known in self._balancers if known not in snapshot.clusters]:
            del self._balancers[name]

    def count_connect(self) -> None:
        """Count a new upstream connection."""
        self.cells[self.base + layout.UPSTREAM_CONNECTS] += 1

    def count_reused(self) -> None:
        """Count a request on a kept upstream connection."""
        self.cells[self.base + layout.UPSTREAM_REUSED] += 1

    def count_resend(self) -> None:
        """Count the one safe resend after a stale connection."""
        self.cells[self.base + layout.RESENDS] += 1

    # -- access log --------------------------------------------------------------------------------------------

    def _open_access_log(self) -> AccessLog | None:
        target = self.settings.log.access
        return None if target == "off" else AccessLog(target, self._count_dropped)

    def _count_dropped(self, lines: int) -> None:
        self.cells[self.base + layout.LOG_DROPPED] += lines
