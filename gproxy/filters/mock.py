"""`mock` of an API: its `default_response` is always the answer, and no server is asked."""

from collections.abc import Mapping
from typing import Any, Self

from gproxy.core.reply import Reply
from gproxy.filters.base import Exchange
from gproxy.filters.default_response import compiled


class MockFilter:
    """Answers every request the same way."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._answer = compiled(document)

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when servers answer."""
        return cls(document["default_response"]) if document["mock"] else None

    def before(self, exchange: Exchange) -> None:
        """Raise the answer."""
        raise Reply(*self._answer)
