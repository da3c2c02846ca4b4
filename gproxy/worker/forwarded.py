"""What the gateway tells a server about where a request came from: X-Forwarded-*, Forwarded, Via, X-Request-Id.

What the client itself says in these fields counts only when its address is one of `trusted_proxies`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:@/+=\-]{1,128}")


class Origin(NamedTuple):
    """What is the same for every request from one address. `lines` are its field lines, open at the end."""

    ip: bytes
    is_trusted: bool
    node: bytes
    lines: bytes


@lru_cache(maxsize=4096)
def origin(ip: str, trusted: Sequence[Network]) -> Origin:
    """Describe a client address ("" for a unix socket, whose clients have none)."""
    if not ip:
        return _origin(b"unknown", b"unknown", False)
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


def _origin(ip: bytes, node: bytes, is_trusted: bool) -> Origin:
    lines = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: http\r\nVia: 1.1 gproxy\r\nForwarded: for=%b;proto=http"
    return Origin(ip, is_trusted, node, lines % (ip, node))


def upstream_fields(exchange: Exchange) -> bytes:
    """Return the field lines for the server, the first one being Host if the client sent one."""
    fields, origin = exchange.fields, exchange.client.origin
    if origin.is_trusted and fields.claims:
        return _with_claims(exchange)
    host = fields.host_value
    return b'%b%b;host="%b"\r\nX-Forwarded-Host: %b\r\nX-Request-Id: %b\r\n' % (
        (fields.forward, origin.lines, host, host, exchange.request_id)
    )


def _with_claims(exchange: Exchange) -> bytes:
    """The same for a trusted proxy: its claims are kept, its own address is appended."""
    fields, origin = exchange.fields, exchange.client.origin
    claims, host = fields.claims, fields.host_value
    chain = claims.get(b"x-forwarded-for")
    element = b'for=%b;proto=http;host="%b"' % (origin.node, host)
    forwarded = claims.get(b"forwarded")
    return (
        b"%bX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
        b"Via: 1.1 gproxy\r\nForwarded: %b\r\nX-Request-Id: %b\r\n"
    ) % (
        fields.forward,
        b"%b, %b" % (chain, origin.ip) if chain else origin.ip,
        claims.get(b"x-forwarded-proto", b"http"),
        claims.get(b"x-forwarded-host", host),
        b"%b, %b" % (forwarded, element) if forwarded else element,
        exchange.request_id,
    )


def claimed_request_id(exchange: Exchange) -> bytes | None:
    """Return the request id that a trusted proxy gave, if it is one."""
    if not exchange.client.origin.is_trusted:
        return None
    claim = exchange.fields.claims.get(b"x-request-id")
    return claim if claim and _REQUEST_ID.fullmatch(claim) else None


def client_ip(exchange: Exchange, trusted: Sequence[Network]) -> str:
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
