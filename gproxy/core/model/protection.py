"""What protects servers and APIs: health checks, circuit breakers, retries, queues and rate limits."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gproxy.core import grammar, health_check, request_key, statuses
from gproxy.core.model.base import MOST, HeaderValue, Part, Percent, Seconds, in_order
from gproxy.core.retry import IDEMPOTENT_NAME

#: Longest interval or time-out of a health check, in seconds, and most results in a row to wait for.
MOST_CHECK_S: Final = 3600
MOST_IN_A_ROW: Final = 1000
#: Most attempts at one request, and the longest wait between two.
MOST_ATTEMPTS: Final = 10
MOST_BACKOFF_MS: Final = 60_000
#: Highest rate of a limit, its longest time span, and longest time in a queue.
MOST_RATE: Final = 1_000_000
MOST_NODES: Final = 1_000
MOST_PER_S: Final = 86_400
MOST_WAIT_S: Final = 3600
MOST_PAID_S: Final = 366 * 86_400
#: The IANA registry of HTTP status codes, those of errors.
ERROR_STATUSES: Final = frozenset((*range(400, 418), *range(421, 427), 428, 429, 431, 451, *range(500, 509), 510, 511))
#: Longest window and longest open time of a circuit breaker, in seconds.
MOST_WINDOW_S: Final = 3600
MOST_OPEN_S: Final = 86_400


def _statuses(text: str) -> str:
    if not statuses.parse(text):
        raise ValueError("must name at least one status")
    return text


def _statuses_or_none(text: str) -> str:
    statuses.parse(text)
    return text


def _retry_methods(text: str) -> str:
    if text == IDEMPOTENT_NAME:
        return text
    return ",".join(grammar.unique(tuple(grammar.method(method.strip()) for method in text.split(","))))


def _off(value: Any) -> Any:
    """Take false for "off": that is what YAML makes of the bare word."""
    return "off" if value is False else value


def _body(text: str) -> str:
    health_check.body_test(text)
    return text


def _limit_key(text: str) -> str:
    if text in {"none", "client_ip", "consumer"} or text.startswith(("header:", "cookie:")):
        return text if text == "none" else request_key.check(text)
    raise ValueError(f'must be none, client_ip, consumer, header:NAME or cookie:NAME, not "{text}"')


def _error_status(status: int) -> int:
    if status not in ERROR_STATUSES:
        raise ValueError(f"must be a registered status from 400 to 599, not {status}")
    return status


CheckHeaderFields = Annotated[
    dict[Annotated[str, AfterValidator(grammar.check_header_name)], HeaderValue], AfterValidator(in_order)
]


class HealthCheck(Part):
    """How the node asks a server whether it is well: with a request, or (`tcp`) by connecting only.

    A server's own check replaces its cluster's as a whole; `off` turns that one off. `expect_body` is text that the
    body must contain, or `~` and an expression of RE2; up to 64 KB of the body are read.
    """

    type: Annotated[Literal["http", "tcp", "off"], BeforeValidator(_off)] = "http"
    path: Annotated[str, AfterValidator(grammar.target)] = "/"
    method: Annotated[str, AfterValidator(grammar.method)] = "GET"
    headers: CheckHeaderFields = {}
    expect_status: Annotated[str, AfterValidator(_statuses)] = "200"
    expect_body: Annotated[str, AfterValidator(_body)] = ""
    interval_s: Annotated[float, Field(ge=0.1, le=MOST_CHECK_S)] = 5.0
    timeout_s: Annotated[float, Field(ge=0.05, le=MOST_CHECK_S)] = 3.0
    rise: Annotated[int, Field(ge=1, le=MOST_IN_A_ROW)] = 2
    fall: Annotated[int, Field(ge=1, le=MOST_IN_A_ROW)] = 3

    @model_validator(mode="after")
    def _asks_what_it_expects(self) -> Self:
        if self.type != "http":
            for field in ("path", "method", "headers", "expect_status", "expect_body"):
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"{field} is given, but type is {self.type}")
        if self.expect_body and self.method == "HEAD":
            raise ValueError("expect_body is given, but the answer to HEAD has no body")
        grammar.unique(tuple(name.lower() for name in self.headers))
        return self


class CircuitBreaker(Part):
    """When a server or an API is given a rest. A rule whose number is 0 is off; at least one must be on.

    A server's own breaker replaces its cluster's as a whole. With `max_ejected_percent` 0 nothing is ever turned
    away: states and events show what would have been. With `share` cluster a server is also given a rest on nodes that
    have not seen its failures, when `quorum` nodes have opened its circuit.
    """

    consecutive_failures: Annotated[int, Field(ge=0, le=MOST_IN_A_ROW)] = 5
    failure_percent: Percent = 0.0
    min_requests: Annotated[int, Field(ge=1, le=MOST)] = 20
    window_s: Annotated[float, Field(ge=0.1, le=MOST_WINDOW_S)] = 10.0
    slow_s: Annotated[float, Field(ge=0, le=MOST_WINDOW_S)] = 0.0
    slow_percent: Percent = 0.0
    open_s: Annotated[float, Field(ge=0.05, le=MOST_OPEN_S)] = 10.0
    max_open_s: Annotated[float, Field(ge=0.05, le=MOST_OPEN_S)] = 300.0
    half_open_percent: Annotated[float, Field(ge=0.1, le=100)] = 10.0
    half_open_successes: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    failure_statuses: Annotated[str, AfterValidator(_statuses)] = "500-599"
    max_ejected_percent: Percent = 100.0
    share: Literal["node", "cluster"] = "node"
    quorum: Annotated[int, Field(ge=1, le=MOST_NODES)] = 2

    @model_validator(mode="after")
    def _can_open(self) -> Self:
        if (not self.slow_s) != (not self.slow_percent):
            raise ValueError("slow_s and slow_percent go together")
        if not (self.consecutive_failures or self.failure_percent or self.slow_percent):
            raise ValueError("never opens: consecutive_failures, failure_percent and slow_percent are all 0")
        if self.max_open_s < self.open_s and "max_open_s" in self.model_fields_set:
            raise ValueError("max_open_s is less than open_s")
        return self


class Retry(Part):
    """When a request is sent again. An API's own replaces its cluster's as a whole; with `attempts` 1 it is off.

    `methods` may be sent again after they were sent once: `idempotent`, or a list such as "GET,POST". `report` tells
    the client in X-Gateway-Attempts how many attempts its request took.
    """

    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] = 2
    per_try_timeout_s: Seconds = 0.0
    statuses: Annotated[str, AfterValidator(_statuses_or_none)] = ""
    methods: Annotated[str, AfterValidator(_retry_methods)] = IDEMPOTENT_NAME
    backoff_ms: Annotated[float, Field(ge=0, le=MOST_BACKOFF_MS)] = 25.0
    report: bool = False


class Queue(Part):
    """How many requests of a node may wait for a place, and for how long."""

    size: Annotated[int, Field(ge=1, le=MOST)] = 100
    timeout_s: Annotated[float, Field(ge=0.01, le=MOST_WAIT_S)] = 1.0


class RateLimit(Part):
    """At most `rate` requests in `per_s` seconds, of which `burst` (0: all) may come at once.

    With a `key` each address, or each value of a header field or a cookie, has a limit of its own; requests without
    the field share one. Counted over all workers of a node; with `scope` cluster all nodes share the limit, each with a
    part by the demand that it sees.
    """

    rate: Annotated[int, Field(ge=1, le=MOST_RATE)]
    per_s: Annotated[float, Field(ge=0.01, le=MOST_PER_S)] = 1.0
    burst: Annotated[int, Field(ge=0, le=MOST_RATE)] = 0
    key: Annotated[str, AfterValidator(_limit_key)] = "none"
    status: Annotated[int, AfterValidator(_error_status)] = 429
    scope: Literal["node", "cluster"] = "node"

    @model_validator(mode="after")
    def _is_paid_in_time(self) -> Self:
        if self.burst * self.per_s / self.rate > MOST_PAID_S:
            raise ValueError("burst is more than the rate gives in a year")
        return self
