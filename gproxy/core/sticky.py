"""Sticky sessions: a cookie of the gateway's own takes a client back to the server that answered it first.

The token in the cookie says nothing about the server to anybody, and is the same on every node and after every
restart, as long as cluster and server keep their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, Protocol, Self, TypeVar

from gproxy.core.variables import Request, cookie


class Named(Protocol):
    """What must be known of a server."""

    @property
    def name(self) -> str:
        """The identity of the server, the same over changes of the configuration."""


Server = TypeVar("Server", bound=Named)


@dataclass(frozen=True, slots=True, eq=False)
class Sticky(Generic[Server]):
    """The compiled `sticky_cookie` of a cluster: its name, who is meant by a token, and a token by server name."""

    cookie: bytes
    servers: Mapping[bytes, Server]
    tokens: Mapping[str, bytes]

    @classmethod
    def compiled(cls, name: str | None, cluster: str, servers: Iterable[Server]) -> Self | None:
        """Return what the cookie `name` means for these servers of a cluster, None when there is no such cookie."""
        if name is None:
            return None
        servers_by_token = {token(cluster, server.name): server for server in servers}
        tokens = {server.name: text for text, server in servers_by_token.items()}
        return cls(name.encode("ascii"), servers_by_token, tokens)

    def server(self, request: Request) -> Server | None:
        """Return the server that the request's cookie asks for, None when it names none that there is."""
        return self.servers.get(cookie(request.field(b"cookie"), self.cookie) or b"")

    def mark(self, request: Request, server: str, head: bytes) -> bytes:
        """Return a response head with the cookie for the server that answered, unless the client has it already."""
        text = self.tokens[server]
        if cookie(request.field(b"cookie"), self.cookie) == text:
            return head
        return b"%bSet-Cookie: %b=%b; Path=/; HttpOnly; SameSite=Lax\r\n" % (head, self.cookie, text)


def token(cluster: str, server: str) -> bytes:
    """Return the token of a server in a cluster: 16 hexadecimal digits."""
    return blake2b(f"{cluster}\0{server}".encode(), digest_size=8).hexdigest().encode("ascii")
