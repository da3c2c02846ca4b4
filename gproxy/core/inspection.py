"""Inspection: a request may ask for word of who answered it, if it knows the node's key.

    X-Gateway-Inspect: KEY        in a request that ends its connection (`Connection: close`)
    X-Gateway-Inspection: {...}   in the answer, one JSON object in ASCII

Names of servers are nobody else's business, so the key is as secret as the store, where a node tells it. The field is
never passed on to a server, whatever it says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final

from gproxy.core.http1 import split_fields

#: Name of the field of a request (lower case), and of the one of the answer.
ASKS: Final = b"x-gateway-inspect"
TELLS: Final = b"X-Gateway-Inspection"
#: Clients take lines of 64 KB; heads of parts are left out when the line would be longer than this.
_MOST_BYTES: Final = 32_768


def key_of(secret: int) -> str:
    """Return the key of a node whose random number (64 bits) this is."""
    return blake2b(secret.to_bytes(8, "little"), digest_size=16, person=b"gproxy inspect").hexdigest()


def is_asked(claims: Mapping[bytes, bytes], key: bytes) -> bool:
    """Tell whether a request with these claims asks for it, and may."""
    given = claims.get(ASKS)
    return given is not None and compare_digest(given, key)


def line(told: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the field line that tells this; each of `parts` has `headers`."""
    text = json.dumps({**told, "parts": parts})
    if len(text) > _MOST_BYTES:
        text = json.dumps({**told, "parts": [{**part, "headers": None} for part in parts]})
    return b"%b: %b\r\n" % (TELLS, text.encode("ascii")) if len(text) <= _MOST_BYTES else b""


def fields(head: bytes) -> list[list[str]]:
    """Return the fields of a head (status line and field lines) as [name, value] pairs."""
    lines = head.partition(b"\r\n")[2]
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in split_fields(lines)]
