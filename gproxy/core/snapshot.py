"""The configuration of one revision, compiled: what a worker needs to route and dispatch, and nothing else.

A `Snapshot` never changes once it is built. `SnapshotBuilder` takes the lines of the snapshot file one at a time, so
that a loader can work in slices beside live traffic, and takes over what has not changed from the snapshot before.
Runtime state (pools, balancer positions) lives elsewhere, keyed by the identities found here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, NamedTuple

from gproxy.core.backends import Cluster, Document, Endpoint, Server, Timeouts, compile_cluster, compile_server
from gproxy.core.breaker import Breaker
from gproxy.core.cache_rule import CacheRule
from gproxy.core.compression import Compression
from gproxy.core.errors import GatewayError
from gproxy.core.limiter import Room
from gproxy.core.merge import Merge
from gproxy.core.node import After, Node, OpenTap, Terms
from gproxy.core.pattern import Pattern
from gproxy.core.retry import Retry
from gproxy.core.rewrite import Rewrite
from gproxy.core.router import Route, Router
from gproxy.core.rule import Rule, Rules
from gproxy.core.share import Share

#: The kinds in the order of their lines: an API is compiled with the rules that may apply to it, so that none cost
#: nothing.
LINE_ORDER: Final = ("server", "cluster", "routing", "api")


Compiled = Server | Cluster | Rule | Route


class Hooks(NamedTuple):
    """What the filters of one API want to be called with; empty tuples cost nothing. `wait`: some of them may wait."""

    before: tuple[Callable[[Any], None], ...] = ()
    after: tuple[After, ...] = ()
    failed: tuple[Callable[[Any, GatewayError], None], ...] = ()
    taps: tuple[OpenTap, ...] = ()
    wait: bool = False
    preflight: Callable[[Any], None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Api:
    """What callers see, ready to serve. `total_s` is final, 0 means no limit. `row` as in Server.

    `after` are the hooks of answers that come from no server, `taps` listen in on what nodes make together; those of a
    server's answers are with the node. `merge` says how nodes do that, None when one node's answer passes as it is.
    `express` is the node of an API whose requests may take the short way (worker/express.py), because they wait for
    nothing but the answer of one server. It is None where they may have to wait for anything more.
    `has_express_wholes`: what nodes make together may take it, for the whole waits for nothing but its parts.
    `compression` says how answers are compressed, None: not at all.
    `access_log` is the share of its requests that is logged, None: that of the INI.
    `preflighted` is the API as it meets preflights of the requests that it takes, None when it leaves them to others.
    `cache` says what of its answers is stored, None: nothing.
    """

    name: str
    row: int
    is_up: bool
    path: Pattern
    nodes: tuple[Node, ...]
    merge: Merge | None
    taps: tuple[OpenTap, ...]
    express: Node | None
    room: Room | None
    breaker: Breaker | None
    total_s: float
    before: tuple[Callable[[Any], None], ...]
    after: tuple[After, ...]
    failed: tuple[Callable[[Any, GatewayError], None], ...]
    has_express_wholes: bool = False
    cache: CacheRule | None = None
    preflighted: Api | None = None
    access_log: Share | None = None
    compression: Compression | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything of one revision.

    `clusters_of` says which clusters a server is in, by the server's row; `compiled` maps the raw line of a document
    to what was made of it. `answers_preflights` says whether any API does.
    """

    revision: int
    router: Router
    endpoints: frozenset[Endpoint]
    clusters: Mapping[str, Cluster]
    clusters_of: Mapping[int, Sequence[Cluster]]
    compiled: dict[bytes, Compiled | None]
    answers_preflights: bool = False


def _tap_for_store(exchange: Any, head: Any) -> Any:
    """Listen in on an answer that may be stored."""
    return exchange.fetch.open(head)


def _tell_of_store(exchange: Any, head: bytes) -> bytes:
    """Tell the client what the store had to do with its answer."""
    told: bytes = exchange.fetch.told()
    return head + told


def take_apart(old: Snapshot) -> Iterator[None]:
    """Let go piece by piece of a snapshot that nobody uses any more: freeing ten thousand APIs at once takes 20 ms."""
    yield from old.router.take_apart()
    while old.compiled:
        old.compiled.popitem()
        yield


class SnapshotBuilder:
    """Builds a Snapshot line by line (`["api", {document}, row]`), which come in LINE_ORDER.

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
        self._compiled: dict[bytes, Compiled | None] = {}
        self._servers: dict[str, Server] = {}
        self._clusters: dict[str, Cluster] = {}
        self._clusters_of: dict[int, list[Cluster]] = {}
        self._rules = Rules()
        self._has_apis = False
        self._router = Router()
        self._answers_preflights = False

    def add(self, line: bytes) -> None:
        """Take the next line of the snapshot file; raises KeyError or ValueError on a document it cannot be."""
        value = self._known.get(line)
        if value is None or not self._still_holds(value):
            kind, document, *rest = json.loads(line)
            value = self._compile(kind, document, rest)
        self._compiled[line] = value
        if isinstance(value, Route):
            self._has_apis = True
            if value.target.is_up:
                self._router.add(value)
                self._answers_preflights |= value.target.preflighted is not None
        elif isinstance(value, Cluster):
            self._clusters[value.name] = value
            for member in value.members:
                self._clusters_of.setdefault(member.row, []).append(value)
        elif isinstance(value, Rule):
            if self._has_apis:
                raise ValueError("rules come before APIs")
            self._rules.add(value)
        elif value is not None:
            self._servers[value.name] = value

    def build(self) -> Snapshot:
        """Return the finished snapshot; the builder must not be used afterwards."""
        endpoints = frozenset(server.endpoint for server in self._servers.values())
        return Snapshot(
            self._revision,
            self._router,
            endpoints,
            self._clusters,
            self._clusters_of,
            self._compiled,
            self._answers_preflights,
        )

    def _still_holds(self, value: Compiled) -> bool:
        if isinstance(value, Route):
            api: Api = value.target
            return all(
                self._clusters.get(node.cluster.name) is node.cluster
                and tuple(way.rule for way in node.ways) == self._rules.of(api.name, node.attr, len(api.nodes) == 1)
                for node in api.nodes
            )
        if isinstance(value, Rule):
            return self._clusters.get(value.cluster.name) is value.cluster
        if isinstance(value, Cluster):
            return all(self._servers.get(member.name) is member for member in value.members)
        return True

    def _compile(self, kind: str, document: Document, rest: Sequence[int]) -> Compiled | None:
        if kind == "server":
            (row,) = rest
            return compile_server(document, row)
        if kind == "cluster":
            return compile_cluster(document, self._servers, *rest)
        if kind == "routing":
            (row,) = rest
            return Rule.compiled(document, row, self._clusters)
        if kind == "api":
            (row,) = rest
            return self._api(document, row)
        return None  # a kind that this worker does not serve yet

    def _api(self, document: Document, row: int) -> Route:
        hooks = self._hooks_for(document)
        room = Room.compiled(document["max_concurrency"], document["queue"])
        breaker = Breaker.compiled(document["circuit_breaker"])
        rewrite, timeouts = document["rewrite"], Timeouts(**document["timeouts"])
        merge = Merge.compiled(document["nodes"], document["merge"])
        compression = Compression.compiled(document.get("compress"))
        cache = self._cache(document, merge)
        is_free = room is None and breaker is None and cache is None
        terms = Terms(
            timeouts=timeouts,
            retry=Retry.compiled(document["retry"]),
            preserve_host=document["preserve_host"],
            rewrite=Rewrite.compile(rewrite) if rewrite else None,
            after=hooks.after if merge is None else (),
            taps=hooks.taps if merge is None else (),
            compression=compression,
            is_free=is_free and merge is None,
        )
        if cache is not None and merge is None:
            terms = replace(terms, after=(*terms.after, _tell_of_store), taps=(*terms.taps, _tap_for_store))
        nodes = tuple(self._node(document, at, terms, merge) for at in range(len(document["nodes"])))
        path = Pattern.parse(document["path"])
        is_express = len(nodes) == 1 and nodes[0].waits_once and not hooks.wait
        has_express_wholes = merge is not None and is_free and compression is None and not (hooks.taps or hooks.wait)
        api = Api(
            name=document["name"],
            row=row,
            is_up=document["status"] == "up",
            path=path,
            nodes=nodes,
            merge=merge,
            taps=hooks.taps,
            express=nodes[0] if is_express else None,
            has_express_wholes=has_express_wholes,
            room=room,
            breaker=breaker,
            total_s=nodes[0].total_s if nodes and merge is None else timeouts.over(self._defaults).total_s or 0,
            before=hooks.before,
            after=hooks.after,
            failed=hooks.failed,
            access_log=Share.compiled(document.get("access_log")),
            compression=compression,
            cache=cache,
        )
        if hooks.preflight is not None:
            api = replace(api, preflighted=replace(api, before=(hooks.preflight,)))
        return Route(
            name=api.name,
            hosts=tuple(document["hosts"]),
            methods=frozenset(method.encode("ascii") for method in document["methods"]),
            path=path,
            priority=document["priority"],
            target=api,
        )

    def _cache(self, api: Document, merge: Merge | None) -> CacheRule | None:
        """Return what is stored of an API; nothing of a whole whose parts routing rules may lead elsewhere."""
        rewrites = [Rewrite.variables_of(node["rewrite"]) for node in api["nodes"] if merge is not None]
        if merge is not None and any(self._rules.of(api["name"], node["attr"], False) for node in api["nodes"]):
            return None
        return CacheRule.compiled(api.get("cache"), api, variables=chain.from_iterable(rewrites))

    def _node(self, api: Document, index: int, terms: Terms, merge: Merge | None) -> Node:
        document = api["nodes"][index]
        cluster, attr = self._clusters[document["cluster"]], document["attr"] or ""
        earlier = merge.earlier(index) if merge is not None else ()
        cache = CacheRule.compiled(document.get("cache"), api, attr)
        node = Node.compiled(document, cluster, terms, self._defaults, earlier, cache)
        return node.under(self._rules.of(api["name"], attr, len(api["nodes"]) == 1), attr, self._defaults)
