"""The PROXY protocol, versions 1 and 2: a header before everything else that says whom a connection comes from.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, read strictly: what may be meant in two ways is refused.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_LINE_START = b"PROXY "
#: longest version 1 header, with its line end (section 2.1)
LINE_BYTES = 107
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [ -~]*)?|(TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (\d{1,5}) (\d{1,5}))\r\n"
)
_PORT = re.compile(rb"0|[1-9]\d{0,4}")
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_BYTES = 16
#: what may follow the fixed part of a version 2 header: addresses, and what balancers add about themselves
_MOST_BYTES = 2048
_LOCAL, _PROXY = 0x20, 0x21
#: address family and transport -> length of an address, and of both with their ports
_FAMILIES = {0x11: (4, 12), 0x21: (16, 36)}
#: connections without addresses that mean something here: unspecified, and unix sockets
_NAMELESS = {0x00: 0, 0x31: 216}
#: more is never needed to know how long a header is
MOST_HEADER_BYTES = _FIXED_BYTES + _MOST_BYTES


class Announcement(NamedTuple):
    """A whole header of `size` bytes. `source` is the client's address, "" when that is the one that has connected."""

    size: int
    source: str


def parse(data: bytes) -> Announcement | None:
    """Read the header that `data` begins with; None: it is not complete, and all of `data` belongs to it.

    Raises ValueError for what is none.
    """
    if data.startswith(_SIGNATURE) or _SIGNATURE.startswith(data):
        return _binary(data)
    if data.startswith(_LINE_START) or _LINE_START.startswith(data):
        return _text(data)
    raise ValueError("there is no PROXY header")


def _text(data: bytes) -> Announcement | None:
    end = data.find(b"\n", 0, LINE_BYTES)
    if end < 0:
        if len(data) >= LINE_BYTES:
            raise ValueError("the PROXY header has no end")
        return None
    match = _LINE.fullmatch(data, 0, end + 1)
    if match is None:
        raise ValueError("the PROXY header is malformed")
    family, source, destination, *ports = match.groups()
    if family is None:
        return Announcement(end + 1, "")
    if not all(_PORT.fullmatch(port) and int(port) <= 65535 for port in ports):
        raise ValueError("the PROXY header has an invalid port")
    version = int(family[3:])
    addresses = [ipaddress.ip_address(text.decode("ascii")) for text in (source, destination)]
    if any(address.version != version for address in addresses):
        raise ValueError("the PROXY header has an address of another family than it says")
    return Announcement(end + 1, str(addresses[0]))


def _binary(data: bytes) -> Announcement | None:
    if len(data) < _FIXED_BYTES:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ValueError("the PROXY header has an unknown version or command")
    if length > _MOST_BYTES:
        raise ValueError("the PROXY header is too long")
    size = _FIXED_BYTES + length
    if command == _LOCAL:
        source = ""
    elif family in _FAMILIES:
        address_bytes, least = _FAMILIES[family]
        if length < least:
            raise ValueError("the PROXY header is too short for its addresses")
        if len(data) < _FIXED_BYTES + address_bytes:
            return None
        source = str(ipaddress.ip_address(data[_FIXED_BYTES : _FIXED_BYTES + address_bytes]))
    elif family in _NAMELESS and length >= _NAMELESS[family]:
        source = ""
    else:
        raise ValueError("the PROXY header has an unknown family or is too short for it")
    return Announcement(size, source) if len(data) >= size else None
