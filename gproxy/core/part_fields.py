"""Which of a client's field lines the nodes of an aggregation get.

A part must come whole and uncoded, or it could not be put into the whole. Conditions that protect what a write would
change are for the servers to decide; those of a reader are about a stored copy of the whole, which no server knows.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_CODING: Final = re.compile(rb"^accept-encoding:[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_OF_A_READER: Final = re.compile(
    rb"^(?:accept-encoding|if-none-match|if-modified-since|if-range|range):[^\n]*\n", re.IGNORECASE | re.MULTILINE
)
_ABOUT_THE_BODY: Final = re.compile(rb"^content-[a-z-]+:[^\n]*\n", re.IGNORECASE | re.MULTILINE)
#: Methods whose requests usually have a body: one without says so (RFC 9110 section 8.6).
_WITH_BODY: Final = (b"POST", b"PUT", b"PATCH")


#: Blocks are remembered, as clients repeat theirs: so many, each of so many bytes at most.
_KNOWN_BLOCKS, _KNOWN_BYTES = 1024, 2048


def part_fields(lines: bytes, method: bytes, takes_body: bool, has_body: bool) -> bytes:
    """Return the field lines (each ending in CRLF) for a node that is asked with `method`.

    `has_body` says whether the client sent one, which the node gets if it `takes_body`.
    """
    if len(lines) <= _KNOWN_BYTES:
        return _remembered(lines, method, takes_body, has_body)
    return _made(lines, method, takes_body, has_body)


def _made(lines: bytes, method: bytes, takes_body: bool, has_body: bool) -> bytes:
    kept = (_OF_A_READER if method == b"GET" else _CODING).sub(b"", lines)
    if not takes_body:
        kept = _ABOUT_THE_BODY.sub(b"", kept)
    if method in _WITH_BODY and not (takes_body and has_body):
        return kept + b"Accept-Encoding: identity\r\nContent-Length: 0\r\n"
    return kept + b"Accept-Encoding: identity\r\n"


_remembered = lru_cache(maxsize=_KNOWN_BLOCKS)(_made)
