"""`request_headers` and `response_headers` of an API: fields set, added and removed on the way."""

from collections.abc import Mapping
from typing import Any, Self

from gproxy.core.headers import HeaderEdits
from gproxy.filters.base import Exchange


class HeaderFilter:
    """Edits field lines in both directions."""

    def __init__(self, request: HeaderEdits | None, response: HeaderEdits | None) -> None:
        self._request = request
        self._response = response

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when the document edits nothing."""
        request = HeaderEdits.compile(**document["request_headers"])
        response = HeaderEdits.compile(**document["response_headers"])
        return cls(request, response) if request or response else None

    def before(self, exchange: Exchange) -> None:
        """Edit what the server will get, the gateway's own fields included."""
        if self._request is not None:
            exchange.forward = self._request.apply(exchange.outgoing())

    def after(self, exchange: Exchange, head: bytes) -> bytes:
        """Edit what the client will get."""
        return self._response.apply(head) if self._response is not None else head
