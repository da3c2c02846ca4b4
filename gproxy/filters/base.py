"""What a filter may rely on: the part of an exchange that is offered to it."""

from typing import Protocol


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
