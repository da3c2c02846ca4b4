"""What of the answers of an API, or of one of its nodes, is stored."""

from collections.abc import Sequence
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, Field

from gproxy.core import request_key
from gproxy.core.model.base import MOST, Part, Problems, Seconds, Set

#: A larger answer fits into no memory that is set aside for answers.
MOST_ANSWER: Final = 1 << 30
_GET_ONLY: Final = "is {}: only answers to GET are stored"


class Cache(Part):
    """Answers to GET are stored as servers allow it (RFC 9111), and given again.

    `ttl_s` is for answers that do not say how long they are fresh; 0: those are not stored. For `stale_if_error_s` an
    answer stands in when there is no other. `key` names what else tells answers apart: header:NAME, cookie:NAME,
    query:NAME, client_ip or consumer. A new `version` forgets what was stored.
    """

    ttl_s: Seconds = 0.0
    stale_if_error_s: Seconds = 0.0
    max_bytes: Annotated[int, Field(ge=1, le=MOST_ANSWER)] = 1 << 20
    key: Set[Annotated[str, AfterValidator(request_key.check)]] = ()
    ignore_cookies: bool = False
    obey_clients: bool = True
    version: Annotated[int, Field(ge=0, le=MOST)] = 0


class Node(Protocol):
    """What is looked at of a node."""

    attr: str | None
    method: str | None
    cache: Cache | None


def problems(nodes: Sequence[Node], cache: Cache | None, has_auth: bool) -> Problems:
    """Yield what is wrong with what an API and its nodes say about storing, each with its place in the document."""
    if cache is not None and not nodes:
        yield ("cache",), "is given, but there are no nodes whose answers could be stored"
    for index, node in enumerate(nodes):
        if (cache is not None or node.cache is not None) and node.method not in (None, "GET"):
            yield ("nodes", index, "method"), _GET_ONLY.format(node.method)
        if node.cache is not None and node.attr is None:
            yield ("nodes", index, "cache"), "is given, but the only node has no attr: its answer is that of the API"
    own = [(("cache",), cache), *((("nodes", index, "cache"), node.cache) for index, node in enumerate(nodes))]
    for place, one in own:
        if one is not None and "consumer" in one.key and not has_auth:
            yield (*place, "key"), "has consumer, but nobody says who he is: there is no auth"
