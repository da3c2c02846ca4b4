"""`default_response` of an API: what clients get where the gateway would have to say 502, 503 or 504."""

import json
from collections.abc import Mapping
from typing import Any, Final, Self

from gproxy.core.errors import GatewayError, KeysUnavailable, NotStored, RateLimited
from gproxy.core.reply import Reply
from gproxy.filters.base import Exchange

_REPLACED: Final = frozenset((502, 503, 504))


class DefaultResponseFilter:
    """Answers in place of servers that fail. The failure is counted and logged as ever."""

    waits = False

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._answer = compiled(document)

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when the API has no such answer."""
        answer = document["default_response"]
        return cls(answer) if answer is not None else None

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """Raise the answer when no server gave one; who asks too often, or may be nobody, is told so all the same."""
        if error.status in _REPLACED and not isinstance(error, RateLimited | KeysUnavailable | NotStored):
            raise Reply(*self._answer)


def compiled(document: Mapping[str, Any]) -> tuple[int, bytes, bytes]:
    """Return status, field lines and body of a normalised answer."""
    body, fields = document["body"], dict(document["headers"])
    content = body.encode("utf-8") if isinstance(body, str) else json.dumps(body).encode("ascii")
    if content and not any(name.lower() == "content-type" for name in fields):
        fields["Content-Type"] = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
    lines = b"".join(b"%b: %b\r\n" % (name.encode("ascii"), value.encode("utf-8")) for name, value in fields.items())
    return document["status"], lines, content
