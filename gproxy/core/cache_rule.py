"""`cache` of an API or a node, compiled: what identifies an answer in the store.

A key holds everything that decides which answer a server gives, as far as the gateway knows it: the host, the scheme
and what proxies in front say, the target as the server gets it, the cluster, and what `key` adds. What a server says
in Vary comes on top (core/cache_vary.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from gproxy.core.cache_request import Audience, CacheRequest
from gproxy.core.request_key import KeyOf, compile_key
from gproxy.core.variables import Request

Document = Mapping[str, Any]
#: Families of variables whose values are not in the target already.
_BESIDE_THE_TARGET: Final = ("header", "cookie")
_PLAIN: Final = ("client_ip", "consumer")


@dataclass(frozen=True, slots=True)
class CacheRule:
    """What is stored, for how long, and under which key.

    `ttl_s` is how long an answer is fresh that does not say so itself, `stale_s` how long it may stand in for a server
    that fails. `prefix` begins every key. `is_consumers`: answers are kept for each consumer by itself.
    """

    prefix: bytes
    ttl_s: float
    stale_s: float
    most_bytes: int
    extra: tuple[KeyOf, ...]
    is_authorized: bool
    is_consumers: bool
    ignores_cookies: bool
    obeys_clients: bool

    @classmethod
    def compiled(
        cls, document: Document | None, api: Document, attr: str = "", variables: Iterable[str] = ()
    ) -> Self | None:
        """Return the rule of a normalised document, None without one.

        `attr` is the name of the part; `variables` are those of the rewrites that decide what servers are asked.
        """
        if document is None:
            return None
        names = sorted({*document["key"], *_beside_the_target(variables)})
        identity = (api["name"], attr, str(document["version"]), *names)  # a value is one only under its name
        return cls(
            prefix="".join(f"{part}\0" for part in identity).encode("utf-8"),
            ttl_s=document["ttl_s"],
            stale_s=document["stale_if_error_s"],
            most_bytes=document["max_bytes"],
            extra=tuple(compile_key(name) for name in names),
            is_authorized=api["auth"] is not None,
            is_consumers="consumer" in document["key"],
            ignores_cookies=document["ignore_cookies"],
            obeys_clients=document["obey_clients"],
        )

    def key(self, request: Request, where: bytes, host: bytes, target: bytes) -> bytes:
        """Return the key of an answer to a request that goes to `target` of this host; `where` says what else decides.

        Parts are told apart by their lengths: none can be mistaken for another one.
        """
        parts = [where, host, target, *[take(request) for take in self.extra]]
        return self.prefix + b"".join([b"%d:%b" % (len(part), part) for part in parts])

    def audience(self, asked: CacheRequest, sent: Audience, has_identity: bool) -> Audience:
        """Return by whom an answer is asked for.

        `sent` is what the server will take it for when filters have edited the request; `has_identity`: the client has
        shown a certificate. A consumer whose answers are kept by themselves is anybody in their midst.
        """
        if has_identity:
            return Audience.AUTHORIZED
        if self.is_authorized:
            if not self.is_consumers:
                return Audience.AUTHORIZED
            found = Audience.ANYBODY if Audience.WITH_COOKIE not in (asked.audience, sent) else Audience.WITH_COOKIE
        else:
            found = max(asked.audience, sent)
        return Audience.ANYBODY if found is Audience.WITH_COOKIE and self.ignores_cookies else found


def _beside_the_target(variables: Iterable[str]) -> list[str]:
    found = []
    for name in variables:
        family, dot, rest = name.partition(".")
        if name in _PLAIN:
            found.append(name)
        elif dot and family in _BESIDE_THE_TARGET:
            found.append(f"{family}:{rest}")
    return found
