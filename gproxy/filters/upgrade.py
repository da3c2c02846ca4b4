"""`upgrade` of an API: its clients may ask the server to switch protocols; what comes then is a tunnel."""

from collections.abc import Mapping
from typing import Any, Self

from gproxy.core.errors import BadRequest
from gproxy.core.upgrade import Upgrade
from gproxy.filters.base import Exchange


class UpgradeFilter:
    """Passes the wish of a client on. Without it an Upgrade field ends at the gateway, as RFC 9110 7.8 allows."""

    def __init__(self, upgrade: Upgrade) -> None:
        self._upgrade = upgrade

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the filter, None when the API allows no tunnels."""
        upgrade = Upgrade.compiled(document["upgrade"])
        return None if upgrade is None else cls(upgrade)

    def before(self, exchange: Exchange) -> None:
        """Have the server asked too; raises BadRequest for a request with a body, which would come first."""
        protocol = exchange.fields.upgrade
        if not protocol or not self._upgrade.allows(protocol):
            return
        if exchange.fields.length:
            raise BadRequest("A request that wants to switch protocols has no body here.")
        exchange.upgrade = self._upgrade
        exchange.forward = exchange.outgoing() + b"Connection: Upgrade\r\nUpgrade: %b\r\n" % protocol
