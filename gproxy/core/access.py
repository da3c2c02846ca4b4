"""Who may use an API, by address: networks that are allowed and networks that are denied.

The narrowest network that holds an address decides, so "all of these but that one" can be said either way round. An
address in none of them is allowed, unless there are networks that are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from gproxy.core.networks import network


@dataclass(frozen=True, slots=True)
class AddressRule:
    """`_levels` are networks of one version and length, narrowest first: (version, bits behind, {number: allowed})."""

    _levels: tuple[tuple[int, int, dict[int, bool]], ...]
    _otherwise: bool

    @classmethod
    def compile(cls, allow: Iterable[str], deny: Iterable[str]) -> AddressRule:
        """Return the rule of checked networks; raises ValueError with a sentence for the user."""
        levels: dict[tuple[int, int], dict[int, bool]] = {}
        allowed = [network(text) for text in allow]
        for found, may in (*((one, True) for one in allowed), *((network(text), False) for text in deny)):
            behind = found.max_prefixlen - found.prefixlen
            level = levels.setdefault((behind, found.version), {})
            if level.setdefault(int(found.network_address) >> behind, may) != may:
                raise ValueError(f"{found} is both allowed and denied")
        ordered = tuple((version, behind, levels[behind, version]) for behind, version in sorted(levels))
        return cls(ordered, not allowed)

    def allows(self, ip: bytes) -> bool:
        """Say whether an address may pass; what is no address (the client of a unix socket) is in no network."""
        try:
            address = ipaddress.ip_address(ip.decode("latin-1"))
        except ValueError:
            return self._otherwise
        number = int(address)
        for version, behind, networks in self._levels:
            if version == address.version:
                found = networks.get(number >> behind)
                if found is not None:
                    return found
        return self._otherwise
