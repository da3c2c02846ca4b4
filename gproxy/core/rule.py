"""Routing rules, compiled: which requests one applies to, and where it leads them.

A rule that splits sends its share to another cluster, one that mirrors sends copies there. Rules are tried by priority
(the highest first), then name: the first split that applies decides, and every mirror that applies copies.

A sticky share is a range of hashes of the rule's name and the request's key, beginning at zero: when the percentage
grows, who was in stays in, and every worker and node agrees. Shares of different rules do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from math import inf
from operator import attrgetter
from typing import Any, Final, Self

from gproxy.core import moment
from gproxy.core.backends import Cluster
from gproxy.core.expression import Test, compile_expression
from gproxy.core.mirror import Mirror
from gproxy.core.pattern import Pattern
from gproxy.core.request_key import KeyOf, compile_key
from gproxy.core.router import Route, Router
from gproxy.core.variables import Request

_HASHES: Final = 1 << 64
_ORDER: Final = attrgetter("order")


class Verdict(Enum):
    """Whether a rule applies to a request, or the first thing that keeps it from doing so."""

    APPLIES = "applies"
    EXPIRED = "has expired"
    PATH = "the path is another one"
    WHEN = "its conditions do not hold"
    SHARE = "is for others"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule. `order` sorts rules as they are tried. `api` None are all, `node` "" is the only node of an API.

    `row` is where its figures are, as in Server. It expires at `expires_s` (since 1970), `inf` for never. `path` None
    is any path, `when` None any request. With `key_of` its share is sticky, with `mirror` it makes copies.
    """

    name: str
    row: int
    order: tuple[int, str]
    api: str | None
    node: str
    cluster: Cluster
    percent: float
    key_of: KeyOf | None
    expires_s: float
    path: Router | None
    when: Test | None
    mirror: Mirror | None

    @classmethod
    def compiled(cls, document: Mapping[str, Any], row: int, clusters: Mapping[str, Cluster]) -> Self | None:
        """Return the rule of a normalised document, None when it is down; raises KeyError for an unknown cluster."""
        if document["status"] != "up":
            return None
        name, expires_at, sticky = document["name"], document["expires_at"], document["sticky"]
        return cls(
            name=name,
            row=row,
            order=(-document["priority"], name),
            api=document["api"],
            node=document["node"] or "",
            cluster=clusters[document["cluster"]],
            percent=document["percent"],
            key_of=compile_key(sticky) if sticky else None,
            expires_s=moment.seconds(expires_at) if expires_at else inf,
            path=_router(document["path"]) if document["path"] else None,
            when=_when(document["when"]["all"], document["when"]["any"]),
            mirror=Mirror.compiled(document),
        )

    def verdict(self, request: Request, now_s: float, deal: Callable[[Self], bool]) -> Verdict:
        """Say whether the rule applies; `deal` decides on a share that is not sticky, and is asked only then."""
        if now_s >= self.expires_s:
            return Verdict.EXPIRED
        if self.path is not None and self.path.find(b"", b"GET", request.target.partition(b"?")[0]) is None:
            return Verdict.PATH
        if self.when is not None and not self.when(request):
            return Verdict.WHEN
        if self.percent < 100:
            is_in = self._has(request, self.key_of) if self.key_of is not None else deal(self)
            return Verdict.APPLIES if is_in else Verdict.SHARE
        return Verdict.APPLIES

    def _has(self, request: Request, key_of: KeyOf) -> bool:
        key = key_of(request) or request.client_ip()
        return place(self.name, key) < self.percent * _HASHES / 100


class Rules:
    """The rules of one configuration, by what they may apply to."""

    __slots__ = ("_by_api",)

    def __init__(self) -> None:
        self._by_api: dict[str | None, list[Rule]] = {}

    def add(self, rule: Rule) -> None:
        """Take one more."""
        self._by_api.setdefault(rule.api, []).append(rule)

    def of(self, api: str, node: str, is_only: bool) -> tuple[Rule, ...]:
        """Return those for one node of an API (`node` is its attr, `is_only`: there is no other), as they are tried."""
        if not self._by_api:
            return ()
        found = (*self._by_api.get(None, ()), *self._by_api.get(api, ()))
        return tuple(sorted((rule for rule in found if (rule.node == node if rule.node else is_only)), key=_ORDER))


def place(rule: str, key: bytes) -> int:
    """Return where a key stands in the shares of a rule, 0 <= place < 2^64: shares begin at 0."""
    return int.from_bytes(blake2b(b"%b\0%b" % (rule.encode("ascii"), key), digest_size=8).digest())


def _router(path: str) -> Router:
    """Return what finds this one path, as APIs are found."""
    router = Router()
    router.add(Route("", (), frozenset(), Pattern.parse(path), 0, None))
    return router


def _when(all_of: list[str], any_of: list[str]) -> Test | None:
    """Return the test of a `when`: all of `all_of` hold, or one of `any_of`. None when there is nothing to test."""
    every, some = [compile_expression(text) for text in all_of], [compile_expression(text) for text in any_of]
    if len(every) + len(some) < 2:
        return (every + some)[0] if every or some else None
    if not some:
        return lambda request: all(test(request) for test in every)
    if not every:
        return lambda request: any(test(request) for test in some)
    return lambda request: all(test(request) for test in every) or any(test(request) for test in some)
