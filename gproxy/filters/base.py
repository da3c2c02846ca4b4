"""What a filter may rely on: the part of an exchange that is offered to it."""

from typing import Protocol

from gproxy.core.limiter import Limit
from gproxy.core.variables import Request


class Exchange(Request, Protocol):
    """One request in flight, as a filter sees it. All texts are bytes as they came over the wire."""

    #: the edited field lines for the server, each ending in CRLF; None while nobody has edited them
    forward: bytes | None

    def outgoing(self) -> bytes:
        """Return the field lines for the server as they stand now, the gateway's own fields included."""
        ...

    def whole_body(self) -> bytes:
        """Return the body of the request without framing, waiting for the rest of it.

        Raises GatewayError (when it is larger than what is held in memory, for example), which a filter lets pass.
        """
        ...

    def count_against(self, limit: Limit, key: bytes | None) -> int:
        """Count the request against a rate limit of its API, or of those with this key.

        Returns 0, or when it is one too many in how many seconds to ask again.
        """
        ...
