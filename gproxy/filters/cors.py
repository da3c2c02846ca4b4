"""`cors` of an API: pages of other origins may use it; their preflights are answered here, no server sees them."""

import re
from collections.abc import Mapping
from typing import Any, Final, Self

from gproxy.core.cors import CrossOrigin, asked_method
from gproxy.core.errors import GatewayError
from gproxy.core.reply import Reply
from gproxy.filters.base import Exchange

#: What a server says of other origins itself: two answers would contradict each other.
_OWN: Final = re.compile(rb"^access-control-[^\n]*\n", re.IGNORECASE | re.MULTILINE)


class CorsFilter:
    """Answers preflights, and tells browsers who may read an answer, an error too."""

    waits = False

    def __init__(self, rule: CrossOrigin) -> None:
        self._rule = rule

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when the API says nothing about other origins."""
        asked = document["cors"]
        return cls(CrossOrigin.compile(asked, document["methods"])) if asked is not None else None

    def preflight(self, exchange: Exchange) -> None:
        """Answer the preflight of a request that the API would take."""
        raise Reply(204, self._rule.preflight(exchange, asked_method(exchange) or b""), b"")

    def after(self, exchange: Exchange, head: bytes) -> bytes:
        """Mark an answer; that to a preflight is whole, even if it is a server's own."""
        if asked_method(exchange) is not None:
            return head
        return _OWN.sub(b"", head) + self._rule.lines(exchange)

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """Mark an error: without it a page could not even see what went wrong."""
        for line in self._rule.lines(exchange).decode("latin-1").splitlines():
            name, _, value = line.partition(": ")
            error.headers += ((name, value),)
