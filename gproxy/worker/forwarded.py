"""What the gateway tells a server about where a request came from: X-Forwarded-*, Forwarded, Via, X-Request-Id.

What the client itself says in these fields counts only when its address is one of `trusted_proxies`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gproxy.core.http1 import FORWARDED_BY_OTHERS

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.view import View

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOBODY = b"unknown"
#: what a trusted proxy says of its client's certificate
_IDENTITY = frozenset((b"client-cert", b"client-cert-chain", b"x-client-cert-subject", b"x-client-cert-fingerprint"))
#: claims of trusted proxies that are passed on as they are, with their names
_PASSED = {name: name.title() for name in sorted(_IDENTITY | FORWARDED_BY_OTHERS)}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:@/+=\-]{1,128}")


class Origin(NamedTuple):
    """What is the same for every request of a connection. `lines` are its field lines, open at the end.

    `identity` are those that tell who the client is by its certificate.
    """

    ip: bytes
    is_trusted: bool
    node: bytes
    lines: bytes
    scheme: bytes
    identity: bytes

    @property
    def has_address(self) -> bool:
        """Tell whether the client has an address: those of unix sockets have none."""
        return self.ip != _NOBODY

    def over_tls(self, identity: bytes) -> Origin:
        """Return the same for a client that speaks TLS and has shown this identity."""
        return _origin(self.ip, self.node, self.is_trusted, b"https", identity)


@lru_cache(maxsize=4096)
def origin(ip: str, trusted: Sequence[Network]) -> Origin:
    """Describe a client address ("" for a unix socket, whose clients have none)."""
    if not ip:
        return _origin(_NOBODY, _NOBODY, False)
    address = _address(ip)
    text = str(address).encode("ascii")
    node = text if address.version == 4 else b'"[%b]"' % text
    return _origin(text, node, any(address in network for network in trusted))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; without its zone, in which a claim could hide anything. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4096)
def _origin(ip: bytes, node: bytes, is_trusted: bool, scheme: bytes = b"http", identity: bytes = b"") -> Origin:
    lines = b"%bX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nVia: 1.1 gproxy\r\nForwarded: for=%b;proto=%b"
    return Origin(ip, is_trusted, node, lines % (identity, ip, scheme, node, scheme), scheme, identity)


def upstream_fields(exchange: Exchange) -> bytes:
    """Return the field lines for the server, the first one being Host if the client sent one."""
    fields, origin = exchange.fields, exchange.client.origin
    host = fields.host_value
    if not host or (origin.is_trusted and fields.claims):
        return _with_claims(exchange, fields.claims if origin.is_trusted else {})
    return b'%b%b;host="%b"\r\nX-Forwarded-Host: %b\r\nX-Request-Id: %b\r\n' % (
        (fields.forward, origin.lines, host, host, exchange.request_id)
    )


def _with_claims(exchange: Exchange, claims: Mapping[bytes, bytes]) -> bytes:
    """The same with a trusted proxy's claims kept and its address appended, and without a host if there is none.

    What it says of a certificate is about the client behind it, so its own certificate is not told.
    """
    fields, origin = exchange.fields, exchange.client.origin
    chain, forwarded = claims.get(b"x-forwarded-for"), claims.get(b"forwarded")
    element = b"for=%b;proto=%b" % (origin.node, origin.scheme)
    if fields.host_value:
        element += b';host="%b"' % fields.host_value
    host = claims.get(b"x-forwarded-host", fields.host_value)
    lines = [
        b"X-Forwarded-For: " + (b"%b, %b" % (chain, origin.ip) if chain else origin.ip),
        b"X-Forwarded-Proto: " + claims.get(b"x-forwarded-proto", origin.scheme),
        *([b"X-Forwarded-Host: " + host] if host else ()),
        *(b"%b: %b" % (_PASSED[name], claims[name]) for name in _PASSED if name in claims),
        b"Via: 1.1 gproxy",
        b"Forwarded: " + (b"%b, %b" % (forwarded, element) if forwarded else element),
        b"X-Request-Id: " + exchange.request_id,
    ]
    identity = b"" if claims.keys() & _IDENTITY else origin.identity
    return fields.forward + identity + b"\r\n".join(lines) + b"\r\n"


def claimed_request_id(exchange: Exchange) -> bytes | None:
    """Return the request id that a trusted proxy gave, if it is one."""
    if not exchange.client.origin.is_trusted:
        return None
    claim = exchange.fields.claims.get(b"x-request-id")
    return claim if claim and _REQUEST_ID.fullmatch(claim) else None


def client_ip(exchange: View, trusted: Sequence[Network]) -> str:
    """Return the address of the client itself: behind trusted proxies the last one that is not theirs."""
    peer = exchange.client.origin
    if not peer.is_trusted:
        return peer.ip.decode("ascii")
    chain = exchange.fields.claims.get(b"x-forwarded-for", b"").decode("latin-1")
    ip = peer.ip.decode("ascii")
    for claim in reversed([part.strip() for part in chain.split(",") if part.strip()]):
        try:
            address = _address(claim)
        except ValueError:
            break
        ip = str(address)
        if not any(address in network for network in trusted):
            break
    return ip
