"""Conditions of a reader (RFC 9110 section 13.1.2 and 13.1.3), evaluated against an answer that is at hand."""

from __future__ import annotations

import re
from typing import Final

from gproxy.core.http_date import parse

_TAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def is_not_modified(if_none_match: bytes, if_modified_since: bytes, etag: bytes, last_modified: bytes) -> bool:
    """Say whether a client that says this has the answer already. b"" is for a field that is not there.

    Tags are compared weakly; If-Modified-Since counts only where there is no If-None-Match.
    """
    if if_none_match:
        if if_none_match.strip() == b"*":
            return True
        mine = _TAG.fullmatch(etag)
        return mine is not None and mine[1] in set(_TAG.findall(if_none_match))
    since, modified = parse(if_modified_since), parse(last_modified)
    return since is not None and modified is not None and modified <= since
