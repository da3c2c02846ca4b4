"""A real request through a node, sent where clients send theirs, and everything that came of it.

Requests go to no other address than those that nodes tell in the store, whatever their URL says: that is what the node
takes for the host. The certificate of a node is not checked: it is for its public names, not for its own.
"""

import json
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import quote, urlsplit

from gproxy.core.inspection import ASKS, TELLS
from gproxy.ctl.node import NodeError
from gproxy.store.nodes import Node

#: From the first byte of the request to the last one of the answer.
WITHIN_S: Final = 30.0
#: Of a body, that are shown.
MOST_BYTES: Final = 1 << 20
_SAFE: Final = "!\"$%&'()*+,-./:;=?@[\\]^_`{|}~"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: Fields that this program has to say itself.
_OURS: Final = frozenset({"content-length", "transfer-encoding", "connection", ASKS.decode()})


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as a person writes it; `headers` are (name, value). Raises ValueError for what is no request."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.method) or self.method == "CONNECT":
            raise ValueError(f"{self.method}: this is no method")
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name) or any(char in value for char in "\r\n\0"):
                raise ValueError(f"{name}: a header field is 'Name: value'")
            if name.lower() in _OURS:
                raise ValueError(f"{name}: this field is written by the admin itself")

    @property
    def is_secure(self) -> bool:
        """Tell whether it is for an address with TLS."""
        return self.url.startswith("https:")

    @property
    def host(self) -> str:
        """The host that the node shall take it for."""
        return urlsplit(self.url).netloc.rpartition("@")[2] or "localhost"

    @property
    def target(self) -> str:
        """Path and query, escaped where they have to be."""
        netloc = urlsplit(self.url).netloc
        path = self.url.partition(f"//{netloc}")[2] if netloc else self.url
        target = quote(path.partition("#")[0], _SAFE)
        return target if target.startswith("/") else f"/{target}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back through `address`. `told` is what the node says of who answered, None when it says nothing.

    `head_ms` and `ms` are until the head and until the end. Of a longer body only `body` was read.
    """

    address: str
    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    is_cut: bool
    head_ms: float
    ms: float
    told: Mapping[str, Any] | None = field(default=None)


def address_for(node: Node, wish: Wish) -> str:
    """Return the address of a node for a request: one with TLS if the URL says so. Raises NodeError."""
    scheme = "https://" if wish.is_secure else "http://"
    fitting = [address for address in node.addresses if address.startswith(scheme)] or list(node.addresses)
    if not fitting:
        raise NodeError(f"node {node.id} tells no address at which a request could be sent")
    return fitting[0]


def send(node: Node, wish: Wish) -> Answer:
    """Send a request through a node and return the answer. Raises NodeError when there is none."""
    address = address_for(node, wish)
    began_s = time.monotonic()
    connection = HTTPConnection(urlsplit(address).netloc, timeout=WITHIN_S)
    try:
        connection.sock = _connected(address, wish.host)
        _put(connection, wish, node.inspection_key)
        with connection.getresponse() as response:
            head_s = time.monotonic()
            body, is_cut = _read(response, began_s + WITHIN_S)
            headers, told = _told(response.getheaders())
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NodeError(f"no answer from {address}: {why}") from None
    finally:
        connection.close()
    head_ms, ms = 1000 * (head_s - began_s), 1000 * (time.monotonic() - began_s)
    return Answer(address, response.status, response.reason, headers, body, is_cut, head_ms, ms, told)


def _connected(address: str, host: str) -> socket.socket:
    parts = urlsplit(address)
    sock = socket.create_connection((parts.hostname or "", parts.port or 0), WITHIN_S)
    if parts.scheme == "http":
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=urlsplit(f"//{host}").hostname)


def _put(connection: HTTPConnection, wish: Wish, key: str) -> None:
    """Write the request; it ends its connection, or the node would not tell who answered it."""
    connection.putrequest(wish.method, wish.target, skip_host=True, skip_accept_encoding=True)
    if not any(name.lower() == "host" for name, _ in wish.headers):
        connection.putheader("Host", wish.host)
    for name, value in wish.headers:
        connection.putheader(name, value.encode("utf-8"))
    if wish.body:
        connection.putheader("Content-Length", str(len(wish.body)))
    connection.putheader("Connection", "close")
    if key:
        connection.putheader(ASKS.decode(), key)
    connection.endheaders(wish.body or None)


def _read(response: HTTPResponse, deadline: float) -> tuple[bytes, bool]:
    """Return the beginning of the body, and whether there is more. Raises TimeoutError when it comes too slowly."""
    found = bytearray()
    while len(found) <= MOST_BYTES and (piece := response.read1(65_536)):
        found += piece
        if time.monotonic() > deadline:
            raise TimeoutError("the answer takes too long")
    return bytes(found[:MOST_BYTES]), len(found) > MOST_BYTES


def _told(fields: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], Mapping[str, Any] | None]:
    """Return the fields of the answer without what the node tells us, and that: the last one, others may forge it."""
    name = TELLS.decode()
    said = [value for key, value in fields if key == name]
    try:
        told = json.loads(said[-1]) if said else None
    except ValueError:
        told = None
    return [pair for pair in fields if pair[0] != name], told if isinstance(told, dict) else None
