"""Who a client is by its certificate, as field lines for servers: RFC 9440, and forms that are easier to read.

What clients say in these fields themselves is dropped like all claims (core/http1.py).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

#: short names of RFC 4514 for what ssl calls by its long name
_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_SPECIAL = frozenset('"+,;<>\\=#')


def identity_lines(der: bytes, decoded: Mapping[str, Any]) -> bytes:
    """Return the field lines, each with its end, for a verified certificate: its DER form, and as ssl decodes it."""
    return b"Client-Cert: :%b:\r\nX-Client-Cert-Subject: %b\r\nX-Client-Cert-Fingerprint: %b\r\n" % (
        b64encode(der),
        distinguished_name(decoded.get("subject", ())).encode("ascii"),
        hashlib.sha256(der).hexdigest().encode("ascii"),
    )


def distinguished_name(parts: Any) -> str:
    """Return a name as RFC 4514 writes it, the most specific part first; what is not ASCII as escaped bytes."""
    return ",".join(
        "+".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in part) for part in reversed(parts)
    )


def _escaped(value: str) -> str:
    last = len(value) - 1
    return "".join(
        _escaped_character(character, is_edge=position in (0, last)) for position, character in enumerate(value)
    )


def _escaped_character(character: str, is_edge: bool) -> str:
    if character in _SPECIAL or (character == " " and is_edge):
        return "\\" + character
    if " " <= character <= "~":
        return character
    return "".join(f"\\{byte:02X}" for byte in character.encode("utf-8"))
