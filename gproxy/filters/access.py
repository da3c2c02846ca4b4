"""`access` of an API: requests from some addresses are refused."""

from collections.abc import Mapping
from typing import Any, Self

from gproxy.core.access import AddressRule
from gproxy.core.errors import AccessDenied
from gproxy.filters.base import Exchange


class AccessFilter:
    """Looks at the address of the client itself, behind trusted proxies."""

    waits = False

    def __init__(self, rule: AddressRule, api: str) -> None:
        self._rule = rule
        self._api = api

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when every address may use the API."""
        asked = document["access"]
        if asked is None or not (asked["allow"] or asked["deny"]):
            return None
        return cls(AddressRule.compile(asked["allow"], asked["deny"]), document["name"])

    def before(self, exchange: Exchange) -> None:
        """Raise AccessDenied for an address that may not."""
        ip = exchange.client_ip()
        if not self._rule.allows(ip):
            raise AccessDenied("Access is denied.", f"access of API {self._api} does not allow {ip.decode('latin-1')}")
