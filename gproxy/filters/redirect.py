"""`redirect` of an API: clients are sent somewhere else, and no server is asked."""

from collections.abc import Mapping
from typing import Any, Self

from gproxy.core.redirect import Location
from gproxy.core.reply import Reply
from gproxy.filters.base import Exchange


class RedirectFilter:
    """Answers with the Location that a template makes of the request (RFC 9110 section 15.4)."""

    def __init__(self, location: Location, status: int) -> None:
        self._location = location
        self._status = status

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when the API does not redirect."""
        asked = document["redirect"]
        return cls(Location.compile(asked["location"]), asked["status"]) if asked is not None else None

    def before(self, exchange: Exchange) -> None:
        """Raise the answer, or BadValue when the request lacks what the location is made of."""
        raise Reply(self._status, b"Location: %b\r\n" % self._location.of(exchange), b"")
