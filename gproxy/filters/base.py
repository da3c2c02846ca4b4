"""What a filter may rely on: the part of an exchange that is offered to it."""

from typing import Protocol

from gproxy.core.limiter import Limit


class Exchange(Protocol):
    """One request in flight, as a filter sees it. All texts are bytes as they came over the wire."""

    method: bytes
    target: bytes
    #: the edited field lines for the server, each ending in CRLF; None while nobody has edited them
    forward: bytes | None

    def outgoing(self) -> bytes:
        """Return the field lines for the server as they stand now, the gateway's own fields included."""
        ...

    def field(self, name: bytes) -> bytes:
        """Return the first value of the request field `name` (lower case), b"" without one."""
        ...

    def client_ip(self) -> bytes:
        """Return the address of the client itself, whatever trusted proxies are in between."""
        ...

    def count_against(self, limit: Limit, key: bytes | None) -> int:
        """Count the request against a rate limit of its API, or of those with this key.

        Returns 0, or when it is one too many in how many seconds to ask again.
        """
        ...
