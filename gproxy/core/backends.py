"""Servers and clusters, compiled: where requests can go, and what decides where one goes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from gproxy.core.breaker import Breaker
from gproxy.core.health import identity
from gproxy.core.limiter import Limit, Room
from gproxy.core.request_key import KeyOf, compile_key
from gproxy.core.retry import Retry
from gproxy.core.sticky import Sticky

Document = Mapping[str, Any]


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
    requests in flight, `has_queues` whether requests may have to wait for the latter. `row` is by what events know it.
    """

    name: str
    row: int
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
    has_queues: bool
    timeouts: Timeouts

    def without(self, rows: Set[int]) -> tuple[Server, ...]:
        """Return who takes the traffic when the servers of these rows are passed over."""
        usable = tuple(server for server in self.primary if server.row not in rows)
        return usable or tuple(server for server in self.backup if server.row not in rows)


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


def compile_cluster(document: Document, servers: Mapping[str, Server], row: int = 0) -> Cluster:
    """Return the cluster of a normalised document; raises KeyError for a server that is not among `servers`."""
    members = tuple(servers[name] for name in document["servers"])
    up = [server for server in members if server.is_up and server.weight]
    breaker = Breaker.compiled(document["circuit_breaker"])
    policy, hash_on = document["load_balance"], document["hash_on"]
    stays = [server for server in members if server.is_up or server.is_draining]
    sticky = Sticky[Server].compiled(document["sticky_cookie"], document["name"], stays)
    return Cluster(
        name=document["name"],
        row=row,
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
        has_queues=any(server.room is not None for server in members),
        timeouts=Timeouts(**document["timeouts"]),
    )
