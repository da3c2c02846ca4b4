"""The configuration of one revision, compiled: what a worker needs to route and dispatch, and nothing else.

A `Snapshot` never changes once it is built. `SnapshotBuilder` takes the lines of the snapshot file one at a time, so
that a loader can work in slices beside live traffic, and takes over what has not changed from the snapshot before.
Runtime state (pools, balancer positions) lives elsewhere, keyed by the identities found here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from gproxy.core.breaker import Breaker
from gproxy.core.health import identity
from gproxy.core.limiter import Limit, Room
from gproxy.core.pattern import Pattern
from gproxy.core.request_key import KeyOf, compile_key
from gproxy.core.retry import Retry
from gproxy.core.router import Route, Router
from gproxy.core.sticky import Sticky

Document = Mapping[str, Any]


class Hooks(NamedTuple):
    """What the filters of one API want to be called with; empty tuples cost nothing."""

    before: tuple[Callable[[Any], None], ...] = ()
    after: tuple[Callable[[Any, bytes], bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines in seconds; None falls back to the next wider setting (API, cluster, INI)."""

    connect_s: float | None = None
    response_s: float | None = None
    total_s: float | None = None

    def over(self, wider: Timeouts) -> Timeouts:
        """Return these timeouts with the gaps filled from `wider`."""
        return Timeouts(
            wider.connect_s if self.connect_s is None else self.connect_s,
            wider.response_s if self.response_s is None else self.response_s,
            wider.total_s if self.total_s is None else self.total_s,
        )


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS to a server; file names are read when the first connection is made."""

    verify: bool = True
    server_name: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to connect: `host` and `port`, or `path` of a unix socket; `tls` None means plain text."""

    host: str
    port: int
    path: str
    tls: Tls | None

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, address: str, tls: Tls | None) -> Endpoint:
        """Build the endpoint of a checked `address`: "host:port", "[v6]:port" or "unix:/path"."""
        if address.startswith("unix:"):
            return cls("", 0, address[5:], tls)
        host, _, port = address.rpartition(":")
        return cls(host.strip("[]"), int(port), "", tls)


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """One backend. Connections belong to its `endpoint`, so a new weight or status keeps the pool.

    `row` is where its figures are kept in shared memory: the same for as long as there is a server of this name.
    `identity` stands for its name and address: a verdict on another one is not about this server.
    """

    name: str
    row: int
    identity: int
    weight: int
    endpoint: Endpoint
    host_line: bytes
    is_up: bool
    is_draining: bool
    is_backup: bool
    slow_start_s: float
    limit: Limit | None
    room: Room | None
    breaker: Breaker | None


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Servers of one service: `primary` take the traffic, `backup` only while there is no primary.

    `policy` is the load_balance of the document, `hash_key` what consistent_hash goes by. With `is_in_turns` it is
    round robin, and nothing looks at the request or the clock. `breaker` is for the servers that have none of their
    own; `is_guarded` says whether any server has one here, `is_limited` whether any has a rate limit or a maximum of
    requests in flight.
    """

    name: str
    members: tuple[Server, ...]
    primary: tuple[Server, ...]
    backup: tuple[Server, ...]
    policy: str
    hash_key: KeyOf | None
    sticky: Sticky[Server] | None
    is_in_turns: bool
    retry: Retry | None
    breaker: Breaker | None
    is_guarded: bool
    is_limited: bool
    timeouts: Timeouts

    def without(self, rows: Set[int]) -> tuple[Server, ...]:
        """Return who takes the traffic when the servers of these rows are passed over."""
        usable = tuple(server for server in self.primary if server.row not in rows)
        return usable or tuple(server for server in self.backup if server.row not in rows)


@dataclass(frozen=True, slots=True, eq=False)
class Api:
    """What callers see, ready to serve. The timeouts are final, in seconds; 0 means no limit. `row` as in Server.

    With `is_plain` nothing but whose turn it is decides where its requests go, and each goes there once.
    """

    name: str
    row: int
    is_up: bool
    cluster: Cluster
    is_plain: bool
    room: Room | None
    retry: Retry | None
    breaker: Breaker | None
    preserve_host: bool
    connect_s: float
    response_s: float
    total_s: float
    before: tuple[Callable[[Any], None], ...]
    after: tuple[Callable[[Any, bytes], bytes], ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything of one revision.

    `clusters_of` says which clusters a server is in, by the server's row; `compiled` maps the raw line of a document
    to what was made of it.
    """

    revision: int
    router: Router
    endpoints: frozenset[Endpoint]
    clusters: Mapping[str, Cluster]
    clusters_of: Mapping[int, Sequence[Cluster]]
    compiled: Mapping[bytes, Server | Cluster | Route | None]


class SnapshotBuilder:
    """Builds a Snapshot line by line (`["api", {document}, row]`), servers before clusters before apis.

    `defaults` are the timeouts of the INI, `hooks_for` makes the filters of an API. `previous` may be any earlier
    snapshot built with the same defaults: a line that has not changed, and whose referenced objects have not, is
    taken over instead of built again.
    """

    def __init__(
        self,
        revision: int,
        defaults: Timeouts,
        hooks_for: Callable[[Document], Hooks],
        previous: Snapshot | None = None,
    ) -> None:
        self._revision = revision
        self._hooks_for = hooks_for
        self._defaults = defaults
        self._known = previous.compiled if previous is not None else {}
        self._compiled: dict[bytes, Server | Cluster | Route | None] = {}
        self._servers: dict[str, Server] = {}
        self._clusters: dict[str, Cluster] = {}
        self._clusters_of: dict[int, list[Cluster]] = {}
        self._router = Router()

    def add(self, line: bytes) -> None:
        """Take the next line of the snapshot file; raises KeyError or ValueError on a document it cannot be."""
        value = self._known.get(line)
        if value is None or not self._still_holds(value):
            kind, document, *rest = json.loads(line)
            value = self._compile(kind, document, rest)
        self._compiled[line] = value
        if isinstance(value, Route):
            if value.target.is_up:
                self._router.add(value)
        elif isinstance(value, Cluster):
            self._clusters[value.name] = value
            for member in value.members:
                self._clusters_of.setdefault(member.row, []).append(value)
        elif value is not None:
            self._servers[value.name] = value

    def build(self) -> Snapshot:
        """Return the finished snapshot; the builder must not be used afterwards."""
        endpoints = frozenset(server.endpoint for server in self._servers.values())
        return Snapshot(self._revision, self._router, endpoints, self._clusters, self._clusters_of, self._compiled)

    def _still_holds(self, value: Server | Cluster | Route) -> bool:
        if isinstance(value, Route):
            return self._clusters.get(value.target.cluster.name) is value.target.cluster
        if isinstance(value, Cluster):
            return all(self._servers.get(member.name) is member for member in value.members)
        return True

    def _compile(self, kind: str, document: Document, rest: Sequence[int]) -> Server | Cluster | Route | None:
        if kind == "server":
            (row,) = rest
            return compile_server(document, row)
        if kind == "cluster":
            return self._cluster(document)
        if kind == "api":
            (row,) = rest
            return self._api(document, row)
        return None  # a kind that this worker does not serve yet

    def _cluster(self, document: Document) -> Cluster:
        members = tuple(self._servers[name] for name in document["servers"])
        up = [server for server in members if server.is_up and server.weight]
        breaker = Breaker.compiled(document["circuit_breaker"])
        policy, hash_on = document["load_balance"], document["hash_on"]
        stays = [server for server in members if server.is_up or server.is_draining]
        sticky = Sticky[Server].compiled(document["sticky_cookie"], document["name"], stays)
        return Cluster(
            name=document["name"],
            members=members,
            primary=tuple(server for server in up if not server.is_backup),
            backup=tuple(server for server in up if server.is_backup),
            policy=policy,
            hash_key=compile_key(hash_on) if hash_on else None,
            sticky=sticky,
            is_in_turns=policy == "round_robin" and not sticky and not any(server.slow_start_s for server in up),
            retry=Retry.compiled(document["retry"]),
            breaker=breaker,
            is_guarded=breaker is not None or any(server.breaker is not None for server in up),
            is_limited=any(server.limit is not None or server.room is not None for server in members),
            timeouts=Timeouts(**document["timeouts"]),
        )

    def _api(self, document: Document, row: int) -> Route:
        (node,) = document["nodes"]
        cluster = self._clusters[node["cluster"]]
        timeouts = Timeouts(**document["timeouts"]).over(cluster.timeouts).over(self._defaults)
        hooks = self._hooks_for(document)
        room = Room.compiled(document["max_concurrency"], document["queue"])
        breaker = Breaker.compiled(document["circuit_breaker"])
        retry = Retry.compiled(document["retry"]) or cluster.retry
        breaker = Breaker.compiled(document["circuit_breaker"])
        chooses_freely = cluster.is_in_turns and not cluster.is_guarded and not cluster.is_limited
        api = Api(
            name=document["name"],
            row=row,
            is_up=document["status"] == "up",
            cluster=cluster,
            is_plain=chooses_freely and retry is None and breaker is None and room is None,
            room=room,
            retry=retry,
            breaker=breaker,
            preserve_host=document["preserve_host"],
            connect_s=timeouts.connect_s or 0,
            response_s=timeouts.response_s or 0,
            total_s=timeouts.total_s or 0,
            before=hooks.before,
            after=hooks.after + _marks(retry, cluster.sticky),
        )
        return Route(
            name=api.name,
            hosts=tuple(document["hosts"]),
            methods=frozenset(method.encode("ascii") for method in document["methods"]),
            path=Pattern.parse(document["path"]),
            priority=document["priority"],
            target=api,
        )


def _marks(retry: Retry | None, sticky: Sticky[Server] | None) -> tuple[Callable[[Any, bytes], bytes], ...]:
    """Return the hooks that tell a client of its attempts and its server, no edit of the API before them."""
    found: list[Callable[[Any, bytes], bytes]] = []
    if retry is not None and retry.report:
        found.append(lambda exchange, head: b"%bX-Gateway-Attempts: %d\r\n" % (head, exchange.attempts))
    if sticky is not None:
        found.append(lambda exchange, head: sticky.mark(exchange, exchange.server.name, head))
    return tuple(found)


def compile_server(document: Document, row: int) -> Server:
    """Return the server of a normalised document."""
    tls = Tls(**document["tls"]) if document["scheme"] == "https" else None
    endpoint = Endpoint.parse(document["address"], tls)
    host = "localhost" if endpoint.path else document["address"]
    return Server(
        name=document["name"],
        row=row,
        identity=identity(document["name"], document["address"], document["scheme"]),
        weight=document["weight"],
        endpoint=endpoint,
        host_line=b"Host: %b\r\n" % host.encode("ascii"),
        is_up=document["status"] == "up",
        is_draining=document["status"] == "drain",
        slow_start_s=document["slow_start_s"],
        is_backup=document["backup"],
        limit=Limit.of(document["max_qps"], 1.0, document["burst"]) if document["max_qps"] else None,
        room=Room.compiled(document["max_connections"], document["queue"]),
        breaker=Breaker.compiled(document["circuit_breaker"]),
    )
