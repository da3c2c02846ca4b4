"""The limit on connections from one client address, kept by all workers of a node together.

Proxies that are trusted speak for many clients, and the clients of unix sockets have no address: they are not limited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.shared.addresses import Addresses

if TYPE_CHECKING:
    from gproxy.worker.connection import Client
    from gproxy.worker.forwarded import Origin

#: what one connection too many is told at once: it is not worth more
CROWDED = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: 154\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
    b'{"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "This address has as many '
    b'connections as it may.", "code": "overloaded"}\n'
)


class Crowd:
    """Counts the connections of each address; none may have more than `limit`."""

    def __init__(self, addresses: Addresses, limit: int) -> None:
        self._addresses = addresses
        self._limit = limit

    def has_room_for(self, client: Client, origin: Origin) -> bool:
        """Count a connection of this origin if it is not one too many; `leave` takes it back."""
        if origin.is_trusted or not origin.has_address:
            return True
        place = self._addresses.place(origin.ip)
        if self._addresses.count(place) >= self._limit:
            return False
        self._addresses.enter(place)
        client.place = place
        return True

    def leave(self, client: Client) -> None:
        """Count a connection no more, if it was counted."""
        if client.place:
            self._addresses.leave(client.place)
            client.place = 0
