"""Where requests go: servers, and the clusters that they form."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gproxy.core import grammar, request_key
from gproxy.core.model.base import MOST, FileName, Name, Part, Path, Set, Timeouts
from gproxy.core.model.protection import MOST_RATE, CircuitBreaker, HealthCheck, Queue, Retry

#: The longest slow start of a server, in seconds.
MOST_SLOW_START_S: Final = 3600


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
    Paths of its `url_pattern` lead to it when no API takes them.
    """

    name: Name
    servers: Set[Name] = ()
    url_pattern: Path | None = None
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
