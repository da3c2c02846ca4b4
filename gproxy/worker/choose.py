"""Which server takes an attempt: the policy proposes, health, slow start and vetoes dispose.

In this order: the server of a sticky cookie; the servers in service as the cluster's policy has them; backups; and
servers that were tried before, because there is no other. Health has taken out who is down before the policy sees the
list; a veto turns down one proposal, and another one is made.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import random
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.backends import Cluster, Server
from gproxy.core.balance import SmoothRoundRobin, better_of_two, by_chance, least_connections, share
from gproxy.core.errors import GatewayError, NoServer
from gproxy.core.hashing import ConsistentHash

if TYPE_CHECKING:
    from gproxy.core.node import Node
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.loads import Loads
    from gproxy.worker.runtime import Runtime

Servers = Sequence[Server]


class Standing:
    """What is remembered of one cluster over configurations: whose turn it is, and who came lately."""

    __slots__ = ("_known", "_since", "hashed", "turns")

    def __init__(self, loads: Loads, start: int) -> None:
        self.turns: SmoothRoundRobin[Server] = SmoothRoundRobin(start)
        self.hashed: ConsistentHash[Server] = ConsistentHash(loads.active)
        self._known: Servers | None = None
        #: when servers with a slow start came, or came back; none of those that were there from the beginning
        self._since: dict[str, float] = {}

    def spares(self, servers: Servers, server: Server) -> bool:
        """Say whether one of `servers`, those in service now, is spared this request because it came lately."""
        if servers is not self._known:
            self._take_over(servers)
        since = self._since.get(server.name)
        if since is None:
            return False
        part = share(monotonic() - since, server.slow_start_s)
        if part == 1:
            del self._since[server.name]
        return random() >= part

    def _take_over(self, servers: Servers) -> None:
        if self._known is not None:
            now, before = monotonic(), {server.name for server in self._known}
            slow = [server.name for server in servers if server.slow_start_s]
            came = [name for name in slow if name in self._since or name not in before]
            self._since = {name: self._since.get(name, now) for name in came}
        self._known = servers


class Chooser:
    """Chooses for all clusters of one worker."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def choose(self, exchange: Exchange, node: Node, tried: Collection[Server] = ()) -> Server:
        """Return the server for the next attempt, one of `tried` only when there is no other.

        At a limited server the request has its place then. Raises RateLimited, Full or CircuitOpen when there were
        only vetoes, NoServer when there was nobody to ask.
        """
        runtime, cluster = self._runtime, node.cluster
        servers = runtime.health.passed_over.get(cluster, cluster.primary or cluster.backup)
        refused: Collection[Server] = ()
        limited: GatewayError | None = None
        server = None
        if cluster.is_in_turns and not tried:  # the usual case: nothing else has a say
            standing = runtime.standings.get(cluster) or runtime.standing(cluster)
            server = standing.turns.pick(servers)
        server = server or self._proposal(exchange, cluster, servers, refused, tried)
        while server is not None:
            refusal = runtime.admission.ask(server) if cluster.is_limited else None
            if refusal is not None:
                limited = limited or refusal
            elif not cluster.is_guarded or runtime.guard.may(exchange, cluster, server):
                return server
            elif cluster.is_limited:
                runtime.admission.leave(server)
            refused = {*refused, server}
            server = self._proposal(exchange, cluster, servers, refused, tried)
        if limited is not None:
            raise limited
        if refused:
            raise runtime.guard.refusal(exchange, cluster)
        raise NoServer("No server is available for this request.", runtime.health.reason(cluster))

    def _proposal(
        self,
        exchange: Exchange,
        cluster: Cluster,
        servers: Servers,
        refused: Collection[Server],
        tried: Collection[Server],
    ) -> Server | None:
        """Return the best server that was not refused; `servers` are those in service."""
        avoid = {*refused, *tried} if tried else refused
        if cluster.sticky is not None:
            kept = cluster.sticky.server(exchange)
            if kept is not None and kept not in avoid and not self._runtime.health.is_down(kept):
                return kept
        found = self._spared(exchange, cluster, servers, avoid)
        if found is None and cluster.backup:
            is_down = self._runtime.health.is_down
            found = by_chance([server for server in cluster.backup if not is_down(server)], avoid, random())
        if found is None and tried:
            return self._proposal(exchange, cluster, servers, refused, ())
        return found

    def _spared(
        self, exchange: Exchange, cluster: Cluster, servers: Servers, avoid: Collection[Server]
    ) -> Server | None:
        """Return whom the policy names; one that starts slowly leaves most requests to the others."""
        runtime = self._runtime
        standing = runtime.standings.get(cluster) or runtime.standing(cluster)
        server = self._named(exchange, cluster, standing, servers, avoid)
        if server is None or not standing.spares(servers, server):
            return server
        return self._named(exchange, cluster, standing, servers, {*avoid, server}) or server

    def _named(
        self, exchange: Exchange, cluster: Cluster, standing: Standing, servers: Servers, avoid: Collection[Server]
    ) -> Server | None:
        loads = self._runtime.loads
        match cluster.policy:
            case "least_conn":
                return least_connections(servers, avoid, loads.active, random())
            case "p2c":
                return better_of_two(servers, avoid, loads.active, loads.time_us, (random(), random()))
            case "random":
                return by_chance(servers, avoid, random())
            case "consistent_hash":
                assert cluster.hash_key is not None
                return standing.hashed.pick(servers, cluster.hash_key(exchange) or exchange.client_ip(), avoid)
        # Who steps in for another one is left to chance: taking the next turn would keep turns and failures in step.
        return by_chance(servers, avoid, random()) if avoid else standing.turns.pick(servers)
