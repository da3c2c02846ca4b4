"""What a request asks of a cache, and for whom: read from its field lines alone (RFC 9111 sections 3.5 and 5.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from gproxy.core.directives import MOST_S, directives, seconds
from gproxy.core.http1 import split_fields


class Audience(IntEnum):
    """Whom an answer is for, or by whom it is asked: one who has said nothing of himself, or who has."""

    ANYBODY = 0
    WITH_COOKIE = 1
    AUTHORIZED = 2


#: Fields that make a request one for its server alone: for a part of the answer, or on terms that only it can judge.
_PARTIAL: Final = frozenset((b"range", b"if-range", b"if-match", b"if-unmodified-since"))
#: Fields by which some servers answer for another method or target than the request line says: an answer to them
#: stored under that line would be somebody else's answer ("cache poisoning").
_OVERRIDING: Final = frozenset(
    (b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url")
)
_KNOWN_BLOCKS, _KNOWN_BYTES = 1024, 2048


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """What one block of fields asks. `passes_by` says why the store has no part in it, "" when it has.

    An answer may be `max_age_s` old, must be fresh for `min_fresh_s` more, and may have been stale for `max_stale_s`.
    `wants_check`: only an answer that its server has confirmed will do. `is_conditional`: 304 may be an answer.
    """

    passes_by: str
    audience: Audience
    wants_check: bool
    max_age_s: float
    min_fresh_s: float
    max_stale_s: float
    only_stored: bool
    if_none_match: bytes
    if_modified_since: bytes

    @property
    def is_conditional(self) -> bool:
        """Say whether the client has an answer already, and asks for another one only."""
        return bool(self.if_none_match or self.if_modified_since)

    @property
    def wants_server(self) -> bool:
        """Say whether no stored answer will do, however fresh."""
        return self.wants_check or not self.max_age_s


def cache_request(block: bytes) -> CacheRequest:
    """Return what the field lines of a request ask of a cache."""
    return _remembered(block) if len(block) <= _KNOWN_BYTES else _parsed(block)


def _parsed(block: bytes) -> CacheRequest:
    fields: dict[bytes, list[bytes]] = {}
    for name, value in split_fields(block):
        fields.setdefault(name.lower(), []).append(value)
    said = directives(fields.get(b"cache-control", ()))
    max_age = seconds(said.get(b"max-age"))
    stale = said.get(b"max-stale")
    pragma = b"cache-control" not in fields and any(b"no-cache" in value.lower() for value in fields.get(b"pragma", ()))
    return CacheRequest(
        passes_by=_passes_by(fields, said),
        audience=_audience(fields),
        wants_check=b"no-cache" in said or pragma,
        max_age_s=float("inf") if max_age is None else max_age,
        min_fresh_s=seconds(said.get(b"min-fresh")) or 0,
        max_stale_s=0 if stale is None else MOST_S if not stale else seconds(stale) or 0,
        only_stored=b"only-if-cached" in said,
        if_none_match=b", ".join(fields.get(b"if-none-match", ())),
        if_modified_since=fields.get(b"if-modified-since", [b""])[0],
    )


_remembered = lru_cache(maxsize=_KNOWN_BLOCKS)(_parsed)


def _passes_by(fields: dict[bytes, list[bytes]], said: dict[bytes, bytes]) -> str:
    if b"no-store" in said:
        return "no-store"
    if not _PARTIAL.isdisjoint(fields):
        return "partial"
    return "override" if not _OVERRIDING.isdisjoint(fields) else ""


def _audience(fields: dict[bytes, list[bytes]]) -> Audience:
    if b"authorization" in fields or b"proxy-authorization" in fields or b"client-cert" in fields:
        return Audience.AUTHORIZED
    return Audience.WITH_COOKIE if b"cookie" in fields else Audience.ANYBODY
