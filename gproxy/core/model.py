"""The configuration documents (servers, clusters, APIs): every field with its type, default and limits.

A document is *normalised* when every default is filled in, in the order of the fields here: what the readers
of a snapshot get. It is *compact* when it holds only what differs from a default: what the store keeps.
Only the configuration files of `gproxy.core` import this module; a worker never loads pydantic.
"""

from types import UnionType
from typing import Annotated, Any, Final, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gproxy.core import grammar, health_check, request_key, statuses
from gproxy.core.pattern import Pattern
from gproxy.core.retry import IDEMPOTENT_NAME

#: Largest number of a limit: far above any use, far below what a counter cell holds.
MOST: Final = 1_000_000_000
MOST_PRIORITY: Final = 1_000_000
#: Longest interval or time-out of a health check, in seconds, and most results in a row to wait for.
MOST_CHECK_S: Final = 3600
MOST_IN_A_ROW: Final = 1000
#: Most attempts at one request, the longest wait between two, and the longest slow start of a server.
MOST_ATTEMPTS: Final = 10
MOST_BACKOFF_MS: Final = 60_000
MOST_SLOW_START_S: Final = 3600
#: Highest rate of a limit, its longest time span, and longest time in a queue.
MOST_RATE: Final = 1_000_000
MOST_PER_S: Final = 86_400
MOST_WAIT_S: Final = 3600
MOST_PAID_S: Final = 366 * 86_400
#: The IANA registry of HTTP status codes, those of errors.
ERROR_STATUSES: Final = frozenset((*range(400, 418), *range(421, 427), 428, 429, 431, 451, *range(500, 509), 510, 511))
#: Longest window and longest open time of a circuit breaker, in seconds.
MOST_WINDOW_S: Final = 3600
MOST_OPEN_S: Final = 86_400


def _path(text: str) -> str:
    Pattern.parse(text)
    return text


def _in_order(edits: dict[str, str]) -> dict[str, str]:
    """Put header fields in one order: they are independent, and equal edits must give equal documents."""
    return dict(sorted(edits.items()))


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
    if text in {"none", "client_ip"} or text.startswith(("header:", "cookie:")):
        return text if text == "none" else request_key.check(text)
    raise ValueError(f'must be none, client_ip, header:NAME or cookie:NAME, not "{text}"')


def _error_status(status: int) -> int:
    if status not in ERROR_STATUSES:
        raise ValueError(f"must be a registered status from 400 to 599, not {status}")
    return status


T = TypeVar("T")
Name = Annotated[str, AfterValidator(grammar.name)]
HeaderName = Annotated[str, AfterValidator(grammar.header_name)]
HeaderValue = Annotated[str, AfterValidator(grammar.header_value)]
HeaderFields = Annotated[dict[HeaderName, HeaderValue], AfterValidator(_in_order)]
FileName = Annotated[str, AfterValidator(grammar.file_name)]
CheckHeaderFields = Annotated[
    dict[Annotated[str, AfterValidator(grammar.check_header_name)], HeaderValue], AfterValidator(_in_order)
]
Seconds = Annotated[float, Field(ge=0, le=MOST)]
Percent = Annotated[float, Field(ge=0, le=100)]
# Strict about the items, but a JSON array arrives as a list.
ExactlyOne = Annotated[tuple[T, ...], Field(strict=False, min_length=1, max_length=1)]
Set = Annotated[tuple[T, ...], Field(strict=False), AfterValidator(grammar.unique)]


class Part(BaseModel):
    """What all documents have in common: no unknown field, no guessed types, no change once built."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Tls(Part):
    """How to speak TLS to an `https` server. `server_name` defaults to the host of the address."""

    verify: bool = True
    server_name: Annotated[str, AfterValidator(grammar.server_name)] | None = None
    ca_file: FileName | None = None
    cert_file: FileName | None = None
    key_file: FileName | None = None

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self


class Timeouts(Part):
    """Deadlines in seconds: None falls back to the next wider setting (API, cluster, INI), 0 is no limit."""

    connect_s: Seconds | None = None
    response_s: Seconds | None = None
    total_s: Seconds | None = None


class HeaderEdits(Part):
    """Edits of header fields, in the order remove, set (replaces the field), add (beside the field)."""

    set: HeaderFields = {}
    add: HeaderFields = {}
    remove: Set[HeaderName] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for names in (self.set, self.add, self.remove):
            grammar.unique(tuple(name.lower() for name in names))
        both = {name.lower() for name in self.set} & {name.lower() for name in self.remove}
        if both:
            raise ValueError(f'"{min(both)}" is in set and in remove: set already replaces it')
        return self


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
    away: states and events show what would have been.
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
    share: Literal["node"] = "node"

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
    the field share one. Counted over all workers of a node.
    """

    rate: Annotated[int, Field(ge=1, le=MOST_RATE)]
    per_s: Annotated[float, Field(ge=0.01, le=MOST_PER_S)] = 1.0
    burst: Annotated[int, Field(ge=0, le=MOST_RATE)] = 0
    key: Annotated[str, AfterValidator(_limit_key)] = "none"
    status: Annotated[int, AfterValidator(_error_status)] = 429
    scope: Literal["node"] = "node"

    @model_validator(mode="after")
    def _is_paid_in_time(self) -> Self:
        if self.burst * self.per_s / self.rate > MOST_PAID_S:
            raise ValueError("burst is more than the rate gives in a year")
        return self


class Server(Part):
    """A backend. `name` defaults to the address.

    Over all workers of a node, it gets at most `max_qps` requests per second, of which `burst` (0: all) may come at
    once, and has at most `max_connections` in flight; more wait in the `queue`, if there is one. 0 is no limit.
    """

    name: Name
    address: Annotated[str, AfterValidator(grammar.address)]
    scheme: Literal["http", "https"] = "http"
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    status: Literal["up", "down", "drain"] = "up"
    backup: bool = False
    slow_start_s: Annotated[float, Field(ge=0, le=MOST_SLOW_START_S)] = 0.0
    max_qps: Annotated[int, Field(ge=0, le=MOST_RATE)] = 0
    burst: Annotated[int, Field(ge=0, le=MOST_RATE)] = 0
    max_connections: Annotated[int, Field(ge=0, le=MOST)] = 0
    queue: Queue | None = None
    health_check: HealthCheck | None = None
    circuit_breaker: CircuitBreaker | None = None
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _uses_its_tls(self) -> Self:
        if self.scheme == "http" and self.tls != Tls():
            raise ValueError("tls is given, but scheme is http")
        return self

    @model_validator(mode="after")
    def _has_what_it_bounds(self) -> Self:
        if self.burst and not self.max_qps:
            raise ValueError("burst is given, but max_qps is 0: there is no limit")
        if self.queue is not None and not self.max_connections:
            raise ValueError("queue is given, but max_connections is 0: nobody has to wait")
        return self


class Cluster(Part):
    """Servers that provide the same service.

    Its timeouts are defaults for the APIs that use it, its health check and its circuit breaker are for its servers.
    """

    name: Name
    servers: Set[Name] = ()
    load_balance: Literal["round_robin", "least_conn", "p2c", "random", "consistent_hash"] = "round_robin"
    hash_on: Annotated[str, AfterValidator(request_key.check)] | None = None
    sticky_cookie: Annotated[str, AfterValidator(grammar.cookie_name)] | None = None
    health_check: HealthCheck | None = None
    circuit_breaker: CircuitBreaker | None = None
    retry: Retry | None = None
    timeouts: Timeouts = Timeouts()

    @model_validator(mode="after")
    def _has_what_it_balances_by(self) -> Self:
        if self.load_balance == "consistent_hash" and self.hash_on is None:
            raise ValueError("hash_on is missing: load_balance is consistent_hash")
        if self.load_balance != "consistent_hash" and self.hash_on is not None:
            raise ValueError(f"hash_on is given, but load_balance is {self.load_balance}")
        return self


class Node(Part):
    """Where an API sends a request."""

    cluster: Name


class Api(Part):
    """What callers see. Empty `hosts` and `methods` match all; a higher `priority` comes first.

    At most `max_concurrency` requests (0: no limit) are in flight on a node; more wait in the `queue`, if there is one.
    """

    name: Name
    hosts: Set[Annotated[str, AfterValidator(grammar.host_pattern)]] = ()
    methods: Set[Annotated[str, AfterValidator(grammar.method)]] = ()
    path: Annotated[str, AfterValidator(_path)]
    priority: Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)] = 0
    status: Literal["up", "down"] = "up"
    preserve_host: bool = True
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    rate_limit: RateLimit | None = None
    max_concurrency: Annotated[int, Field(ge=0, le=MOST)] = 0
    queue: Queue | None = None
    circuit_breaker: CircuitBreaker | None = None
    retry: Retry | None = None
    timeouts: Timeouts = Timeouts()
    nodes: ExactlyOne[Node]
    tags: Set[Name] = ()

    @model_validator(mode="after")
    def _has_what_it_waits_for(self) -> Self:
        if self.queue is not None and not self.max_concurrency:
            raise ValueError("queue is given, but max_concurrency is 0: nobody has to wait")
        return self


#: Kind -> model. Kinds refer only to kinds before them: a cluster names servers, an API names clusters.
MODELS: Final[dict[str, type[Server] | type[Cluster] | type[Api]]] = {
    "server": Server,
    "cluster": Cluster,
    "api": Api,
}


def normalised(entity: Part) -> dict[str, Any]:
    """Return the document with every default, as plain JSON values."""
    return entity.model_dump(mode="json")


def compact(entity: Part) -> dict[str, Any]:
    """Return the document without what is a default anyway, as plain JSON values."""
    return entity.model_dump(mode="json", exclude_defaults=True)


def field_names(kind: str, location: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the part of a document at `location`, `("nodes", 0)` for example."""
    part: Any = MODELS[kind]
    for step in location:
        part = part.model_fields[step].annotation if isinstance(step, str) else get_args(part)[0]
        if isinstance(part, UnionType):  # a part that may be None
            part = get_args(part)[0]
    return list(part.model_fields)
