"""Cache-Control (RFC 9111 section 5.2) as a mapping of directives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_DIRECTIVE: Final = re.compile(rb'([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^,\s]*))?')
_DIGITS: Final = re.compile(rb"\d+")
#: What is longer than any use (RFC 9111 section 1.2.2).
MOST_S: Final = 1 << 31


def directives(values: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the directives of all Cache-Control fields, names in lower case, without quotes.

    One that is said twice with a number counts with the smaller one.
    """
    said: dict[bytes, bytes] = {}
    for name, value in _DIRECTIVE.findall(b", ".join(values)):
        name, value = name.lower(), value.strip(b'"')
        before = said.get(name)
        if before is None or not _DIGITS.fullmatch(value) or (_DIGITS.fullmatch(before) and int(value) < int(before)):
            said[name] = value
    return said


def seconds(value: bytes | None) -> int | None:
    """Return the seconds that a directive says, None when it is absent, 0 when they are no number.

    What nobody can read counts as stale (RFC 9111 section 4.2.1).
    """
    if value is None:
        return None
    return min(int(value[:12]), MOST_S) if _DIGITS.fullmatch(value) else 0
