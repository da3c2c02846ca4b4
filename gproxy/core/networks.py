"""Sets of addresses: single ones, and networks in CIDR notation, of IPv4 and IPv6."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Networks:
    """A set of addresses. `_by_shift` holds, by version and length of the rest, what networks begin with."""

    _by_shift: Mapping[tuple[int, int], frozenset[int]]

    @classmethod
    def compile(cls, texts: Iterable[str]) -> Networks:
        """Return the set of what `texts` name: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32". Raises ValueError."""
        found: dict[tuple[int, int], set[int]] = {}
        for one in map(network, texts):
            shift = one.max_prefixlen - one.prefixlen
            found.setdefault((one.version, shift), set()).add(int(one.network_address) >> shift)
        return cls({key: frozenset(numbers) for key, numbers in found.items()})

    def has(self, ip: bytes) -> bool:
        """Say whether an address is in the set; what is no address is not."""
        given = _number(ip)
        if given is None:
            return False
        version, number = given
        return any(of == version and number >> shift in numbers for (of, shift), numbers in self._by_shift.items())


@lru_cache(maxsize=4096)
def _number(ip: bytes) -> tuple[int, int] | None:
    """Return version and number of an address, None when it is none; clients come again."""
    try:
        given = ipaddress.ip_address(ip.decode("latin-1"))
    except ValueError:
        return None
    return given.version, int(given)


def network(text: str) -> Network:
    """Return the network, or the single address, that a text names; raises ValueError with a sentence for the user."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError(f"{text} is an address within {ipaddress.ip_network(text, strict=False)}") from None
        raise ValueError(f'"{text}" is neither an address nor a network such as 10.0.0.0/8') from None


def address(text: str) -> Address:
    """Return the address that a text names; raises ValueError with a sentence for the user."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f'"{text}" is not an address') from None
