"""What a filter may rely on: the part of an exchange that is offered to it, and the ways to answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from gproxy.core.errors import GatewayError
from gproxy.core.headers import HeaderEdits
from gproxy.core.http1 import RequestFields
from gproxy.core.jwt_keys import KeySet
from gproxy.core.key_source import KeySource
from gproxy.core.limiter import Limit
from gproxy.core.reply import Reply
from gproxy.core.upgrade import Upgrade
from gproxy.core.variables import Request

__all__ = ["Exchange", "Refusal", "Reply", "Tap", "edit"]


T = TypeVar("T")


class Refusal(GatewayError):
    """A request is refused by a filter of the user's own, which chooses status (400 to 599) and code."""

    def __init__(self, status: int, code: str, detail: str, reason: str = "") -> None:
        super().__init__(detail, reason)
        self.status = status
        self.code = code


class Tap(Protocol):
    """Listens in on the body of one response on its way to the client; the body is unframed."""

    def feed(self, piece: bytes | memoryview) -> None:
        """Take the next piece; its memory is used again afterwards."""
        ...

    def end(self) -> None:
        """The body is whole."""
        ...

    def abandon(self) -> None:
        """The response was broken off, or its client has left: there will be no end."""
        ...


class Exchange(Request, Protocol):
    """One request in flight, as a filter sees it. All texts are bytes as they came over the wire."""

    #: the edited field lines for the server, each ending in CRLF; None while nobody has edited them
    forward: bytes | None
    fields: RequestFields
    request_id: bytes
    #: the target in origin form, as the server gets it unless it is rewritten
    target: bytes
    #: who sends the request, once a filter has found out
    consumer: bytes
    #: what the client may switch to, None: nothing
    upgrade: Upgrade | None

    def outgoing(self) -> bytes:
        """Return the field lines for the server as they stand now, the gateway's own fields included."""
        ...

    def whole_body(self) -> bytes:
        """Return the body of the request without framing, waiting for the rest of it.

        Raises GatewayError (when it is larger than what is held in memory, for example), which a filter lets pass.
        """
        ...

    def values_of(self, name: bytes) -> list[bytes]:
        """Return the values of all request fields `name` (lower case)."""
        ...

    def keys(self, source: KeySource) -> KeySet | None:
        """Return the keys for tokens of a source; None when there have never been any."""
        ...

    def newer_keys(self, source: KeySource) -> KeySet | None:
        """Have the keys of a source looked at again, wait for them if that may help, and return them."""
        ...

    def aside(self, work: Callable[[], T]) -> T:
        """Do work that takes long beside the others: in a thread, while this request waits for it."""
        ...

    def count_against(self, limit: Limit, key: bytes | None) -> int:
        """Count the request against a rate limit of its API, or of those with this key.

        Returns 0, or when it is one too many in how many seconds to ask again.
        """
        ...


def edit(
    exchange: Exchange,
    set: Mapping[str, str] | None = None,
    add: Mapping[str, str] | None = None,
    remove: Sequence[str] = (),
) -> None:
    """Edit the fields of the request for the server, in the order remove, set (replaces), add (beside)."""
    edits = HeaderEdits.compile(set, add, remove)
    if edits is not None:
        exchange.forward = edits.apply(exchange.outgoing())
