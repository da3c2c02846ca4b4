"""`request_headers` and `response_headers` of an API: fields set, added and removed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gproxy.core.headers import FilledEdits, HeaderEdits, has_variables
from gproxy.filters.base import Exchange


class HeaderFilter:
    """Edits field lines in both directions."""

    waits = False

    def __init__(self, request: HeaderEdits | None, response: HeaderEdits | None) -> None:
        self._request = request
        self._response = response

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> HeaderFilter | FilledHeaderFilter | None:
        """Return the filter, None when the document edits nothing."""
        ways = document["request_headers"], document["response_headers"]
        if any(has_variables(edits) for edits in ways):
            return FilledHeaderFilter(*(FilledEdits.compile(edits) for edits in ways))
        request, response = (HeaderEdits.without_variables(edits) for edits in ways)
        return cls(request, response) if request or response else None

    def before(self, exchange: Exchange) -> None:
        """Edit what the server will get, the gateway's own fields included."""
        if self._request is not None:
            exchange.forward = self._request.apply(exchange.outgoing())

    def after(self, exchange: Exchange, head: bytes) -> bytes:
        """Edit what the client will get."""
        return self._response.apply(head) if self._response is not None else head


class FilledHeaderFilter:
    """Does the same with values that are made of what the request says."""

    waits = False

    def __init__(self, request: FilledEdits, response: FilledEdits) -> None:
        self._request = request
        self._response = response

    def before(self, exchange: Exchange) -> None:
        """Edit what the server will get, the gateway's own fields included."""
        exchange.forward = self._request.apply(exchange.outgoing(), exchange)

    def after(self, exchange: Exchange, head: bytes) -> bytes:
        """Edit what the client will get."""
        return self._response.apply(head, exchange)
