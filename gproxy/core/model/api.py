"""What callers see: APIs and the nodes that answer for them."""

from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from gproxy.core import grammar, headers
from gproxy.core.model import cache as caching
from gproxy.core.model import merge as merging
from gproxy.core.model.answers import DefaultResponse, Redirect
from gproxy.core.model.auth import Auth
from gproxy.core.model.base import (
    MOST,
    HeaderEdits,
    Name,
    Part,
    Path,
    Priority,
    Problems,
    Seconds,
    Set,
    Timeouts,
    in_order,
    refuse,
)
from gproxy.core.model.cache import Cache
from gproxy.core.model.compress import Compress
from gproxy.core.model.cors import Cors
from gproxy.core.model.entry import Access
from gproxy.core.model.merge import Merge
from gproxy.core.model.observation import AccessLog
from gproxy.core.model.protection import CircuitBreaker, Queue, RateLimit, Retry
from gproxy.core.model.upgrade import Upgrade
from gproxy.core.model.validation import Demand
from gproxy.core.model.variables import wrong_variables
from gproxy.core.redirect import Location
from gproxy.core.rewrite import Rewrite, families

#: Most nodes of one API, and the last batch.
MOST_NODES: Final = 100
MOST_BATCH: Final = 100

T = TypeVar("T")
# Strict about the items, but a JSON array arrives as a list.
Many = Annotated[tuple[T, ...], Field(strict=False, max_length=MOST_NODES)]
JsonPath = Annotated[str, AfterValidator(grammar.json_path)]


def _rewrite(text: str) -> str:
    Rewrite.compile(text)
    return text


def _node_rewrite(text: str) -> str:
    """Check a template whose parts are known only where all nodes are."""
    Rewrite.compile(text, [name for name in families(text) if grammar.ATTRIBUTE.fullmatch(name)])
    return text


def _node_method(text: str) -> str:
    method = grammar.method(text)
    if method == "HEAD":
        raise ValueError("a node is not asked with HEAD: leave method out, and a client's HEAD is passed on")
    return method


class Node(Part):
    """Where an API sends a request, and in which form. Without a `method` of its own it is the client's.

    `attr` is the name of its part, for an API whose nodes make one answer together: then `batch`, `required`,
    `default`, `select`, `rename` and `cache` are about that part. `retry` replaces the API's; `timeout_s` (0: none) is
    for the whole of its answer, with all attempts.
    """

    cluster: Name
    attr: Annotated[str, AfterValidator(grammar.attribute)] | None = None
    batch: Annotated[int, Field(ge=0, le=MOST_BATCH)] = 0
    rewrite: Annotated[str, AfterValidator(_node_rewrite)] | None = None
    method: Annotated[str, AfterValidator(_node_method)] | None = None
    required: bool | None = None
    default: Annotated[Any, AfterValidator(grammar.json_value)] = None
    timeout_s: Seconds = 0.0
    retry: Retry | None = None
    cache: Cache | None = None
    select: Set[JsonPath] = ()
    rename: Annotated[dict[JsonPath, Annotated[str, AfterValidator(grammar.json_name)]], AfterValidator(in_order)] = {}

    @model_serializer(mode="wrap")
    def _without_a_default_that_was_not_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A default of null is not the same as none."""
        document: dict[str, Any] = handler(self)
        document.pop("default", None)
        if "default" in self.model_fields_set:
            document["default"] = self.default
        return document

    @model_validator(mode="after")
    def _renames_what_it_keeps(self) -> Self:
        refuse(
            (("rename", path), "is not among what select keeps")
            for path in self.rename
            if self.select and not any(_is_within(path, kept) or _is_within(kept, path) for kept in self.select)
        )
        places = [(path.rpartition(".")[0], name) for path, name in self.rename.items()]
        twice = grammar.first_repeated([".".join(place).removeprefix(".") for place in places])
        if twice is not None:
            raise ValueError(f'two fields are renamed to "{twice}"')
        return self


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith(other + ".")


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
    auth: Auth | None = None
    rate_limit: RateLimit | None = None
    validation: Annotated[tuple[Demand, ...], Field(strict=False)] = ()
    max_concurrency: Annotated[int, Field(ge=0, le=MOST)] = 0
    queue: Queue | None = None
    circuit_breaker: CircuitBreaker | None = None
    retry: Retry | None = None
    cache: Cache | None = None
    timeouts: Timeouts = Timeouts()
    nodes: Many[Node] = ()
    merge: Merge | None = None
    default_response: DefaultResponse | None = None
    mock: bool = False
    redirect: Redirect | None = None
    upgrade: Upgrade | None = None
    compress: Compress | None = None
    access_log: AccessLog | None = None
    filters: dict[str, JsonValue] = {}
    tags: Set[Name] = ()

    @model_validator(mode="after")
    def _keeps_its_circuit(self) -> Self:
        if self.circuit_breaker is not None and self.circuit_breaker.share == "cluster":
            raise ValueError("circuit_breaker.share: only circuits of servers can be shared by nodes")
        return self

    @model_validator(mode="after")
    def _makes_one_answer(self) -> Self:
        refuse(merging.problems(self.nodes, self.merge))
        refuse(merging.rewrite_problems(self.nodes))
        return self

    @model_validator(mode="after")
    def _stores_answers(self) -> Self:
        refuse(caching.problems(self.nodes, self.cache, self.auth is not None))
        return self

    @model_validator(mode="after")
    def _rewrites_what_it_has(self) -> Self:
        refuse(self._templates_without_values())
        return self

    def _templates_without_values(self) -> Problems:
        """Yield the variables of targets, and of demands, that can never have a value."""
        if self.rewrite is not None:
            yield from wrong_variables(("rewrite",), Rewrite.compile(self.rewrite).variables, self.path)
        if self.redirect is not None:
            location = Location.compile(self.redirect.location)
            yield from wrong_variables(("redirect", "location"), location.variables, self.path)
        for index, node in enumerate(self.nodes):
            if node.rewrite is not None:
                parts = merging.earlier(self.nodes, node)
                names = Rewrite.compile(node.rewrite, parts).variables
                yield from wrong_variables(("nodes", index, "rewrite"), names, self.path)
        for index, demand in enumerate(self.validation):
            if demand.place == "path":
                yield from wrong_variables(("validation", index, "name"), [f"path.{demand.name}"], self.path)

    @model_validator(mode="after")
    def _edits_with_what_it_has(self) -> Self:
        refuse(self._edits_without_values())
        return self

    def _edits_without_values(self) -> Problems:
        """Yield the variables of edits that can never have a value."""
        for way, edits in (("request_headers", self.request_headers), ("response_headers", self.response_headers)):
            for how, fields in (("set", edits.set), ("add", edits.add)):
                for field, text in fields.items():
                    names = headers.variables(text)
                    yield from wrong_variables((way, how, field), names, self.path)
                    if way == "response_headers" and any(name.startswith("body.") for name in names):
                        yield (way, how, field), "the body of the request is gone when the response comes"

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
        if self.upgrade is not None and any(node.attr is not None for node in self.nodes):
            raise ValueError("upgrade is given, but nodes make one answer of parts: a tunnel has one end")
        return self

    @model_validator(mode="after")
    def _has_what_it_waits_for(self) -> Self:
        if self.queue is not None and not self.max_concurrency:
            raise ValueError("queue is given, but max_concurrency is 0: nobody has to wait")
        return self
