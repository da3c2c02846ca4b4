from dataclasses import dataclass, field
from typing import Any

import pytest

from gproxy.core.errors import RateLimited
from gproxy.core.limiter import Limit
from gproxy.filters.rate_limit import RateLimitFilter

DEFAULTS = {"per_s": 1, "burst": 0, "key": "none", "status": 429, "scope": "node"}


@dataclass
class Exchange:
    """A request of which `wait_s` is said when it is counted; `counted` is what it was counted against."""

    wait_s: int = 0
    counted: list[tuple[Limit, bytes | None]] = field(default_factory=list)
    method: bytes = b"GET"
    target: bytes = b"/"
    forward: bytes | None = None

    def outgoing(self) -> bytes:
        return b""

    def field(self, name: bytes) -> bytes:
        return {b"x-tenant": b"acme", b"cookie": b"a=1; sid=abc"}.get(name, b"")

    def client_ip(self) -> bytes:
        return b"10.0.0.1"

    def count_against(self, limit: Limit, key: bytes | None) -> int:
        self.counted.append((limit, key))
        return self.wait_s


def made(**limit: Any) -> RateLimitFilter:
    found = RateLimitFilter.for_api({"name": "shop", "rate_limit": DEFAULTS | {"rate": 5} | limit})
    assert found is not None
    return found


def test_an_api_without_a_limit_has_no_filter() -> None:
    assert RateLimitFilter.for_api({"name": "shop", "rate_limit": None}) is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("none", None),
        ("client_ip", b"10.0.0.1"),
        ("header:X-Tenant", b"acme"),
        ("header:X-Other", b""),
        ("cookie:sid", b"abc"),
    ],
)
def test_requests_are_counted_by_their_key(key: str, expected: bytes | None) -> None:
    exchange = Exchange()
    made(key=key, per_s=60, burst=2).before(exchange)
    assert exchange.counted == [(Limit.of(5, 60, 2), expected)]


def test_one_too_many_is_told_when_to_come_back() -> None:
    with pytest.raises(RateLimited) as caught:
        made(key="header:X-Tenant", status=503).before(Exchange(wait_s=3))
    error = caught.value
    assert (error.status, error.code, error.retry_after_s) == (503, "rate_limited", 3)
    assert error.reason == "rate_limit of API shop, key header:X-Tenant"
    assert dict(error.headers)["RateLimit-Limit"] == "5"
