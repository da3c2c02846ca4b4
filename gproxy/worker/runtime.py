"""What one worker has: its limits, its loop's parts, and the state that outlives requests and configurations."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from greenlet import getcurrent, greenlet

from gproxy.core.backends import Cluster, Endpoint, Server
from gproxy.core.http1 import RequestFields
from gproxy.core.inspection import key_of
from gproxy.core.share import Share
from gproxy.core.snapshot import Snapshot
from gproxy.shared import layout
from gproxy.shared.addresses import Addresses
from gproxy.shared.samples import SampleWriter
from gproxy.worker.access import Access, AccessLog
from gproxy.worker.access_line import FORMATS
from gproxy.worker.admission import Admission
from gproxy.worker.attempt import Carrier
from gproxy.worker.cache.cache import Cache
from gproxy.worker.cache.shelf import Shelf
from gproxy.worker.choose import Standing
from gproxy.worker.crowd import Crowd
from gproxy.worker.deadlines import NEVER, Deadlines
from gproxy.worker.dispatch import Dispatcher
from gproxy.worker.express import Express
from gproxy.worker.gateway import Gateway
from gproxy.worker.guard import Guard
from gproxy.worker.health import HealthView
from gproxy.worker.key_files import KeyFiles
from gproxy.worker.link import hub, switch
from gproxy.worker.loads import Loads
from gproxy.worker.outbox import Outbox
from gproxy.worker.own_filters import own_filters
from gproxy.worker.pace import Pace
from gproxy.worker.peers import Peers
from gproxy.worker.record import Recorder
from gproxy.worker.turns import NextTurn
from gproxy.worker.upstream import Pool

if TYPE_CHECKING:
    from gproxy.role import Context
    from gproxy.worker.connection import Client
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.http2.session import Session
    from gproxy.worker.termination import Termination
    from gproxy.worker.tracing import Tracer
    from gproxy.worker.tunnel import Tunnel

log = logging.getLogger(__name__)

#: request field blocks that were parsed before, with a bound on memory: at most this many, each at most this long
_KNOWN_BLOCKS, _KNOWN_BYTES = 1024, 2048
NO_LIMIT = sys.maxsize
#: parked greenlets kept for the next exchanges
_MOST_FREE = 1024
#: an idle connection of a draining worker is closed when this long no request came: never under a busy client
DRAIN_IDLE_S = 1.0

Task = Callable[[], None]


class Desk(NamedTuple):
    """Who takes the requests of a connection: the short way, which may decline, and the story."""

    begin: Callable[[Client], bool]
    handle: Callable[[Exchange], None]


class Runtime:
    """The worker's state.

    Time limits are in seconds, NEVER when off. Limits of heads are in bytes and fields, NO_LIMIT when off, `body_bytes`
    is 0 when off.
    """

    def __init__(self, context: Context) -> None:
        limits, timeouts = context.settings.limits, context.settings.timeouts
        self.settings = context.settings
        self.head_bytes, self.head_fields = limits.head_bytes or NO_LIMIT, limits.head_fields or NO_LIMIT
        self.target_bytes, self.body_bytes = limits.target_bytes or NO_LIMIT, limits.body_bytes
        self.buffered_bytes, self.part_bytes = limits.buffered_body_bytes or NO_LIMIT, limits.part_bytes or NO_LIMIT
        self.head_s = timeouts.head_s or NEVER
        self.handshake_s = timeouts.handshake_s or NEVER
        self.client_idle_s = timeouts.client_idle_s or NEVER
        self._upstream_idle_s = timeouts.upstream_idle_s or NEVER
        self.deadlines = Deadlines(timeouts.body_s)
        self._slowest = limits.slowest_bytes_per_s
        per_ip = limits.connections_per_ip
        self.crowd = Crowd(Addresses(context.table, context.slot), per_ip) if per_ip else None
        self.termination: Termination | None = None
        if context.tls is not None:
            from gproxy.worker.termination import HTTP1, HTTP2, Termination  # a worker without TLS has no use for it

            protocols = HTTP1 if context.settings.gproxy.http2 == "off" else HTTP2
            self.termination = Termination(context.settings.tls, context.tls, protocols)
        self.snapshot: Snapshot | None = None
        self.health = HealthView(context.table)
        self.loads = Loads(context.table, context.slot)
        self.guard = Guard(context.table, context.slot)
        self.admission = Admission(context.table, context.slot)
        self.samples = SampleWriter(context.table, context.slot)
        self.key_files = KeyFiles(context.settings.gproxy.run_dir)
        self.draining = False
        self.clients: set[Client] = set()
        self.tunnels: set[Tunnel] = set()
        self.sessions: set[Session] = set()
        self.cells, self.base = context.table.cells, context.table.base(context.slot)
        self._slot, self.table = context.slot, context.table
        self.peers = Peers(context.table)
        self.next_turn = NextTurn()
        self.outbox = Outbox()
        self._free: list[greenlet] = []
        #: what blocks of HTTP/1.1 field lines were parsed to: clients repeat theirs to the letter
        self.known_blocks: dict[bytes, RequestFields] = {}
        # State that outlives configurations, by identity; and the same by the objects of the snapshot in use.
        self._pool_of: dict[Endpoint, Pool] = {}
        self._standing_of: dict[str, Standing] = {}
        self.pools: dict[Server, Pool] = {}
        self.standings: dict[Cluster, Standing] = {}
        self.id_prefix = os.urandom(8).hex().encode("ascii") + b"-"
        self.id_numbers = count(1)
        self.inspection_key = key_of(context.table.cells[layout.HEADER_SECRET]).encode("ascii")
        self.access_log = self._open_access_log()
        self.tracer = self._tracer()
        self.extra = own_filters(context)
        self.recorder = Recorder(context.table, context.slot, self._finished())
        if self.tracer is not None:
            self.recorder.traced = self.tracer.part_over
        self.cache = Cache(self, self.recorder, _shelf(context))
        carrier = Carrier(self)
        dispatcher = Dispatcher(self, self.recorder, carrier)
        gateway = Gateway(self, self.recorder, dispatcher)
        self.handle, self.go_on, self.refuse = gateway.handle, gateway.go_on, gateway.refuse
        self.express = Express(self, self.recorder, carrier, dispatcher, gateway.enter)
        self.desk = Desk(self.express.begin, self.handle)

    # -- greenlets ---------------------------------------------------------------------------------------------

    def start(self, task: Task) -> None:
        """Run `task` at once in a borrowed greenlet; only from a callback of the loop."""
        if self._free:
            self._free.pop().switch(task)
        else:
            greenlet(self._run, hub).switch([task])

    def start_soon(self, task: Task) -> None:
        """Run `task` in a borrowed greenlet in the next turn of the loop; from anywhere."""
        hub.loop.run_callback(self.start, task)

    def _run(self, first: list[Task]) -> None:
        me, task = getcurrent(), first.pop()  # the arguments of a greenlet live as long as itself
        while True:
            try:
                task()
            except Exception:
                log.exception("a task of the worker failed")
            if len(self._free) >= _MOST_FREE:
                return
            self._free.append(me)
            del task  # a parked greenlet must not keep the last client and its body
            task = switch(hub)

    # -- clients -----------------------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """Count a new connection."""
        self.clients.add(client)
        self.cells[self.base + layout.CONNECTIONS] += 1
        self.cells[self.base + layout.ACCEPTED] += 1

    def has_room_for(self, client: Client) -> bool:
        """Count a connection by its address; False, and told to the client, when it is one too many."""
        if self.crowd is None or self.crowd.has_room_for(client, client.origin):
            return True
        self.count(layout.CROWDED)
        client.tell_crowded()
        return False

    def forget(self, client: Client) -> None:
        """Uncount a connection that was closed."""
        if client in self.clients:
            self.clients.remove(client)
            if self.crowd is not None:
                self.crowd.leave(client)
            self.cells[self.base + layout.CONNECTIONS] -= 1

    def drain(self) -> None:
        """Let every connection end soon: the idle ones, and those in use after their request."""
        self.draining = True
        self.client_idle_s = min(self.client_idle_s, DRAIN_IDLE_S)
        for client in self.clients:
            client.drain()
        for tunnel in self.tunnels:
            tunnel.drain()
        for session in self.sessions:
            session.drain()

    def resume(self) -> None:
        """Keep connections again, after `drain`."""
        self.draining = False
        self.client_idle_s = self.settings.timeouts.client_idle_s or NEVER

    def pace(self) -> Pace:
        """Return how slow a client may be in one direction."""
        return Pace(self.deadlines.stall_s, self._slowest, monotonic())

    def remember_request_fields(self, block: bytes, fields: RequestFields) -> None:
        """Put the parsed form of a block into `known_blocks`, within its bounds."""
        if len(block) <= _KNOWN_BYTES:
            if len(self.known_blocks) >= _KNOWN_BLOCKS:
                self.known_blocks.clear()
            self.known_blocks[block] = fields

    # -- servers -----------------------------------------------------------------------------------------------

    def pool(self, server: Server) -> Pool:
        """Return the connections to a server that is not in `pools` yet; servers of one endpoint share them."""
        endpoint = server.endpoint
        pool = self._pool_of.get(endpoint)
        if pool is None:
            pool = self._pool_of[endpoint] = Pool(endpoint, self._upstream_idle_s, self.deadlines)
        self.pools[server] = pool
        return pool

    def standing(self, cluster: Cluster) -> Standing:
        """Return what is remembered of a cluster that is not in `standings` yet; it survives new configurations."""
        standing = self._standing_of.get(cluster.name)
        if standing is None:
            standing = self._standing_of[cluster.name] = Standing(self.loads, start=self._slot)
        self.standings[cluster] = standing
        return standing

    def count_connections(self) -> None:
        """Note how many connections each server has; those of one endpoint share them."""
        for server, pool in self.pools.items():
            self.recorder.note_connections(server, pool.open, pool.idle)

    def use(self, snapshot: Snapshot) -> None:
        """Serve from `snapshot` from now on; requests in flight finish on the one they began with."""
        for server in self.pools:
            self.recorder.note_connections(server, 0, 0)
        self.snapshot = snapshot
        self.health.look(snapshot)
        self.guard.use(snapshot)
        self.pools.clear()
        self.standings.clear()
        for endpoint in [known for known in self._pool_of if known not in snapshot.endpoints]:
            self._pool_of.pop(endpoint).close()
        for name in [known for known in self._standing_of if known not in snapshot.clusters]:
            del self._standing_of[name]

    def row_cell(self, row: int, cell: int) -> int:
        """Return where this worker's cell of a row is (`cell`: an offset such as layout.ROW_REPEATING)."""
        return self.table.row_base(self._slot, row) + cell

    def count(self, counter: int) -> None:
        """Add one to a counter of this worker's slot (an offset such as layout.RESENDS)."""
        self.cells[self.base + counter] += 1

    def leave(self) -> None:
        """Write and send what still waits: the worker is about to leave."""
        if self.access_log is not None:
            self.access_log.close()
        if self.tracer is not None:
            self.tracer.close()

    # -- access log and traces ---------------------------------------------------------------------------------

    def _finished(self) -> Callable[[Exchange], None] | None:
        """Return what takes each exchange that is over, None when nobody wants to know."""
        access = self._access(self.access_log) if self.access_log is not None else None
        if self.tracer is None:
            return access
        trace = self.tracer.end
        if access is None:
            return trace

        def both(exchange: Exchange) -> None:
            trace(exchange)
            access(exchange)

        return both

    def _tracer(self) -> Tracer | None:
        section = self.settings.tracing
        if not section.endpoint:
            return None
        from gproxy.worker.tracing import Tracer  # nobody else has a use for it

        return Tracer(section, self.settings.gproxy.run_dir, self._count_dropped_spans)

    def _count_dropped_spans(self, spans: int) -> None:
        self.cells[self.base + layout.SPANS_DROPPED] += spans

    def _open_access_log(self) -> AccessLog | None:
        target = self.settings.log.access
        return None if target == "off" else AccessLog(target, self._count_dropped)

    def _access(self, access_log: AccessLog) -> Callable[[Exchange], None]:
        section, trusted = self.settings.log, self.settings.gproxy.trusted_proxies
        share = Share(section.access_percent, section.access_errors)
        return Access(access_log, FORMATS[section.access_format], trusted, share).take

    def _count_dropped(self, lines: int) -> None:
        self.cells[self.base + layout.LOG_DROPPED] += lines


def _shelf(context: Context) -> Shelf | None:
    """Return where answers are stored, None when none are."""
    return None if context.cache is None else Shelf(context.cache, context.table, context.slot)
