"""A request as the store sees it: under which key its answer lies, and what its client will take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gproxy.core.cache_request import Audience, CacheRequest, cache_request
from gproxy.core.http1 import CLAIMS

if TYPE_CHECKING:
    from gproxy.core.cache_entry import Entry
    from gproxy.core.cache_rule import CacheRule
    from gproxy.worker.exchange import Exchange

_STORED: Final = (b"GET", b"HEAD")
#: Claims of a trusted proxy that say nothing about which answer is wanted: they are about one request.
_ABOUT_ONE: Final = frozenset((b"x-forwarded-for", b"forwarded", b"x-request-id", b"x-real-ip"))
_OF_CERTIFICATES: Final = frozenset(name for name in CLAIMS if b"client-cert" in name)


@dataclass(slots=True, eq=False)
class Question:
    """What `exchange` asks of the store, by the rule of its API (whose row is `row`) or of its node.

    `block` are the field lines that its server would get of the client's. `deliver` answers with a stored entry, and
    tells why that is the answer, as Cache-Status has it.
    """

    exchange: Exchange
    row: int
    rule: CacheRule
    key: bytes
    block: bytes
    asked: CacheRequest
    audience: Audience
    deliver: Callable[[Question, Entry, bytes], None]

    def may_have(self, entry: Entry) -> bool:
        """Say whether an entry may be given to who asks."""
        return entry.is_for(self.audience)


def key_of(exchange: Exchange, rule: CacheRule, cluster: str, target: bytes) -> bytes:
    """Return the key under which the answer to a request lies that goes to `target` at this cluster."""
    fields, origin = exchange.fields, exchange.client.origin
    where = b"%b %b" % (origin.scheme, cluster.encode("utf-8"))
    if origin.is_trusted and fields.claims:
        told = sorted((name, value) for name, value in fields.claims.items() if name not in _ABOUT_ONE)
        where += b"".join([b"\0%b\0%b" % pair for pair in told])
    return rule.key(exchange, where, fields.host_value.lower(), target)


def passes_by(exchange: Exchange, asked: CacheRequest) -> bytes:
    """Return why the store has no part in a request, as Cache-Status has it; b"" when it has."""
    if exchange.method not in _STORED:
        return b"fwd=method"
    if asked.passes_by or exchange.fields.length or exchange.upgrade is not None:
        return b"fwd=bypass"
    return b""


def question(
    exchange: Exchange, rule: CacheRule, key: bytes, block: bytes, deliver: Callable[[Question, Entry, bytes], None]
) -> Question:
    """Return what a request asks; `block` are the field lines that count, and are sent if nobody has edited them."""
    asked, sent = cache_request(block), Audience.ANYBODY
    if exchange.forward is not None and exchange.forward is not block:
        sent = cache_request(exchange.forward).audience
        block = exchange.forward
    origin = exchange.client.origin
    has_identity = bool(origin.identity) or (
        origin.is_trusted and not _OF_CERTIFICATES.isdisjoint(exchange.fields.claims)
    )
    # Who has answers of his own must have a name: a token may be good without one.
    is_nameless = rule.is_consumers and not getattr(exchange, "consumer", b"")
    assert exchange.api is not None
    audience = rule.audience(asked, sent, has_identity or is_nameless)
    return Question(exchange, exchange.api.row, rule, key, block, asked, audience, deliver)
