"""A node of an API, compiled: where its requests go, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from gproxy.core.backends import Cluster, Timeouts
from gproxy.core.cache_rule import CacheRule
from gproxy.core.compression import Compression
from gproxy.core.http1 import ResponseHead
from gproxy.core.retry import Retry
from gproxy.core.rewrite import Rewrite
from gproxy.core.rule import Rule
from gproxy.core.sticky import Sticky

Document = Mapping[str, Any]
#: Takes the exchange and the head of its response (status line and field lines), returns the edited head.
After = Callable[[Any, bytes], bytes]
#: Takes the exchange and the head of a server's response, returns what listens in on its body (or None).
OpenTap = Callable[[Any, ResponseHead], Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an API says for all of its nodes, to whatever cluster they lead.

    `timeouts` and `retry` are its own, without those of a cluster. `is_free`: it has neither a circuit breaker nor
    a maximum of requests in flight, and a single node.
    """

    timeouts: Timeouts
    retry: Retry | None
    preserve_host: bool
    rewrite: Rewrite | None
    after: tuple[After, ...]
    is_free: bool
    taps: tuple[OpenTap, ...] = ()
    compression: Compression | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One cluster with the terms on which it is asked. The time limits are final, in seconds; 0 means no limit.

    With `is_direct` nothing but whose turn it is decides where its requests go, and each goes there once; with
    `is_plain` the API has no say either. `method` None is the client's own. `after` are all the hooks of the response,
    `taps` open what listens in on it, `compression` says how its body is compressed. `attr` is its name among the nodes
    of the API. `ways` are where rules may lead its requests instead, in the order in which they are tried, `own` is it
    itself for those that no rule leads elsewhere. `is_led`: the rules have been asked. `is_mirrored`: some of them make
    copies. `cache` says what of its part of an aggregation is stored.
    """

    cluster: Cluster
    terms: Terms
    is_direct: bool
    is_plain: bool
    retry: Retry | None
    connect_s: float
    response_s: float
    total_s: float
    preserve_host: bool
    method: bytes | None
    rewrite: Rewrite | None
    after: tuple[After, ...]
    taps: tuple[OpenTap, ...]
    compression: Compression | None = None
    cache: CacheRule | None = None
    attr: str = ""
    ways: tuple[Way, ...] = ()
    own: Node | None = None
    is_led: bool = False
    is_mirrored: bool = False

    @property
    def waits_once(self) -> bool:
        """Say whether requests wait for nothing but the answer of one server, which no filter listens in on."""
        return self.terms.is_free and self.retry is None and not (self.terms.taps or self.cluster.has_queues)

    @classmethod
    def compiled(
        cls,
        document: Document,
        cluster: Cluster,
        terms: Terms,
        defaults: Timeouts,
        parts: Collection[str] = (),
        cache: CacheRule | None = None,
    ) -> Self:
        """Return the node of a normalised document.

        `defaults` are the timeouts of the INI, `parts` what its rewrite may use of earlier batches.
        """
        method, rewrite = document["method"], document["rewrite"]
        total_s, retry = document["timeout_s"], document["retry"]
        if total_s:
            terms = replace(terms, timeouts=Timeouts(total_s=total_s).over(terms.timeouts))
        if retry is not None:
            terms = replace(terms, retry=Retry.compiled(retry))
        own = Rewrite.compile(rewrite, parts) if rewrite else terms.rewrite
        return cls._to(cluster, terms, defaults, method.encode("ascii") if method else None, own, cache)

    def towards(self, cluster: Cluster, defaults: Timeouts) -> Self:
        """Return the same node with another cluster in place of its own."""
        return self._to(cluster, self.terms, defaults, self.method, self.rewrite, self.cache)

    def under(self, rules: Sequence[Rule], attr: str, defaults: Timeouts) -> Self:
        """Return the node of this name with the rules that may apply to it, in the order in which they are tried."""
        if not rules:
            return replace(self, attr=attr) if attr else self
        mirrors = [rule.mirror for rule in rules if rule.mirror is not None]
        taps = (*self.taps, _tap) if any(mirror.compare is not None for mirror in mirrors) else self.taps

        def led(node: Self) -> Self:
            return replace(node, attr=attr, taps=taps, is_plain=False, is_led=True, is_mirrored=bool(mirrors))

        ways = []
        for rule in rules:
            node = self.towards(rule.cluster, defaults)
            ways.append(Way(rule, node._copying() if rule.mirror is not None else led(node)))
        own = led(self)
        return replace(own, ways=tuple(ways), own=own, is_direct=False, is_led=False)

    def _copying(self) -> Self:
        """Return the same node for copies: each is sent once, and nobody sees its answer."""
        is_direct = self.is_direct or _leaves_it_to_turns(self.cluster)
        return replace(self, retry=None, is_direct=is_direct, after=(), taps=(), cache=None)

    @classmethod
    def _to(
        cls,
        cluster: Cluster,
        terms: Terms,
        defaults: Timeouts,
        method: bytes | None,
        rewrite: Rewrite | None,
        cache: CacheRule | None,
    ) -> Self:
        timeouts = terms.timeouts.over(cluster.timeouts).over(defaults)
        retry = terms.retry or cluster.retry
        is_direct = _leaves_it_to_turns(cluster) and retry is None and cache is None
        return cls(
            cluster=cluster,
            terms=terms,
            is_direct=is_direct,
            is_plain=is_direct and terms.is_free,
            retry=retry,
            connect_s=timeouts.connect_s or 0,
            response_s=timeouts.response_s or 0,
            total_s=timeouts.total_s or 0,
            preserve_host=terms.preserve_host,
            method=method,
            rewrite=rewrite,
            after=terms.after + _marks(retry, cluster.sticky),
            taps=terms.taps,
            compression=terms.compression,
            cache=cache,
        )


def _leaves_it_to_turns(cluster: Cluster) -> bool:
    return cluster.is_in_turns and not cluster.is_guarded and not cluster.is_limited


def _tap(exchange: Any, head: ResponseHead) -> Any:
    """Listen in on an answer that a copy's will be compared with."""
    return exchange.tee.open(head) if exchange.tee is not None else None


class Way(NamedTuple):
    """A rule, and the node as which it leads elsewhere."""

    rule: Rule
    node: Node


def _marks(retry: Retry | None, sticky: Sticky[Any] | None) -> tuple[After, ...]:
    """Return the hooks that tell a client of its attempts and its server, no edit of the API before them."""
    found: list[After] = []
    if retry is not None and retry.report:
        found.append(lambda exchange, head: b"%bX-Gateway-Attempts: %d\r\n" % (head, exchange.attempts))
    if sticky is not None:
        found.append(lambda exchange, head: sticky.mark(exchange, exchange.server.name, head))
    return tuple(found)
