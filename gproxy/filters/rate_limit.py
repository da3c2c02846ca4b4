"""`rate_limit` of an API: requests beyond it are answered at once, none is delayed."""

from collections.abc import Mapping
from typing import Any, Self

from gproxy.core.errors import RateLimited
from gproxy.core.limiter import Limit
from gproxy.core.request_key import KeyOf, compile_key
from gproxy.filters.base import Exchange


class RateLimitFilter:
    """Counts requests, all of them or those with one key, and answers what is too much. Without `key_of`: all."""

    waits = False

    def __init__(self, limit: Limit, key_of: KeyOf | None, status: int, reason: str) -> None:
        self._limit = limit
        self._key_of = key_of
        self._status = status
        self._reason = reason

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when the API has no rate limit."""
        asked = document["rate_limit"]
        if asked is None:
            return None
        limit = Limit.of(asked["rate"], asked["per_s"], asked["burst"], asked["scope"] == "cluster")
        key = asked["key"]
        key_of = None if key == "none" else compile_key(key)
        reason = f"rate_limit of API {document['name']}, key {key}"
        return cls(limit, key_of, asked["status"], reason)

    def before(self, exchange: Exchange) -> None:
        """Raise RateLimited when this request is one too many."""
        key = self._key_of(exchange) if self._key_of is not None else None
        wait_s = exchange.count_against(self._limit, key)
        if wait_s:
            raise RateLimited(self._limit.rate, wait_s, self._reason, self._status)
