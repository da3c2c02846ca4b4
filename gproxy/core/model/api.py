"""What callers see: APIs and the nodes that answer for them."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, JsonValue, model_validator

from gproxy.core import grammar, headers
from gproxy.core.model.answers import DefaultResponse, Redirect
from gproxy.core.model.base import MOST, HeaderEdits, Name, Part, Path, Priority, Set, Timeouts
from gproxy.core.model.cors import Cors
from gproxy.core.model.entry import Access
from gproxy.core.model.protection import CircuitBreaker, Queue, RateLimit, Retry
from gproxy.core.model.upgrade import Upgrade
from gproxy.core.model.variables import check_variables
from gproxy.core.redirect import Location
from gproxy.core.rewrite import Rewrite

T = TypeVar("T")
# Strict about the items, but a JSON array arrives as a list.
AtMostOne = Annotated[tuple[T, ...], Field(strict=False, max_length=1)]


def _rewrite(text: str) -> str:
    Rewrite.compile(text)
    return text


def _node_method(text: str) -> str:
    method = grammar.method(text)
    if method == "HEAD":
        raise ValueError("a node is not asked with HEAD: leave method out, and a client's HEAD is passed on")
    return method


class Node(Part):
    """Where an API sends a request, and in which form. Without a `method` of its own it is the client's."""

    cluster: Name
    rewrite: Annotated[str, AfterValidator(_rewrite)] | None = None
    method: Annotated[str, AfterValidator(_node_method)] | None = None


class Api(Part):
    """What callers see. Empty `hosts` and `methods` match all; a higher `priority` comes first.

    `filters` is for filters of the user's own: what they find under the name that they look for.

    At most `max_concurrency` requests (0: no limit) are in flight on a node; more wait in the `queue`, if there is one.
    With `mock` the `default_response` is always the answer, with `redirect` that is one: then nodes are not needed.
    """

    name: Name
    hosts: Set[Annotated[str, AfterValidator(grammar.host_pattern)]] = ()
    methods: Set[Annotated[str, AfterValidator(grammar.method)]] = ()
    path: Path
    priority: Priority = 0
    status: Literal["up", "down"] = "up"
    preserve_host: bool = True
    rewrite: Annotated[str, AfterValidator(_rewrite)] | None = None
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    access: Access | None = None
    cors: Cors | None = None
    rate_limit: RateLimit | None = None
    max_concurrency: Annotated[int, Field(ge=0, le=MOST)] = 0
    queue: Queue | None = None
    circuit_breaker: CircuitBreaker | None = None
    retry: Retry | None = None
    timeouts: Timeouts = Timeouts()
    nodes: AtMostOne[Node] = ()
    default_response: DefaultResponse | None = None
    mock: bool = False
    redirect: Redirect | None = None
    upgrade: Upgrade | None = None
    filters: dict[str, JsonValue] = {}
    tags: Set[Name] = ()

    @model_validator(mode="after")
    def _keeps_its_circuit(self) -> Self:
        if self.circuit_breaker is not None and self.circuit_breaker.share == "cluster":
            raise ValueError("circuit_breaker.share: only circuits of servers can be shared by nodes")
        return self

    @model_validator(mode="after")
    def _rewrites_what_it_has(self) -> Self:
        used = {
            "rewrite": Rewrite.compile(self.rewrite).variables if self.rewrite else (),
            "redirect": Location.compile(self.redirect.location).variables if self.redirect else (),
        }
        for at, node in enumerate(self.nodes):
            used[f"nodes[{at}].rewrite"] = Rewrite.compile(node.rewrite).variables if node.rewrite else ()
        for place, names in used.items():
            check_variables(place, names, self.path)
        return self

    @model_validator(mode="after")
    def _edits_with_what_it_has(self) -> Self:
        for way, edits in (("request_headers", self.request_headers), ("response_headers", self.response_headers)):
            for text in (*edits.set.values(), *edits.add.values()):
                names = headers.variables(text)
                check_variables(way, names, self.path)
                if way == "response_headers" and any(name.startswith("body.") for name in names):
                    raise ValueError(f"{way}: the body of the request is gone when the response comes")
        return self

    @model_validator(mode="after")
    def _has_an_answer(self) -> Self:
        if self.mock and self.default_response is None:
            raise ValueError("mock is true, but there is no default_response")
        if self.mock and self.redirect is not None:
            raise ValueError("mock and redirect are two answers: leave one out")
        if not self.nodes and not self.mock and self.redirect is None:
            raise ValueError("nodes is missing: there is neither mock nor redirect to answer instead")
        return self

    @model_validator(mode="after")
    def _has_one_end_for_a_tunnel(self) -> Self:
        if self.upgrade is not None and len(self.nodes) > 1:
            raise ValueError("upgrade is given, but there are several nodes: a tunnel has one end")
        return self

    @model_validator(mode="after")
    def _has_what_it_waits_for(self) -> Self:
        if self.queue is not None and not self.max_concurrency:
            raise ValueError("queue is given, but max_concurrency is 0: nobody has to wait")
        return self
