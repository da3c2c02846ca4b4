"""Which protocols an API lets its clients switch to (RFC 9110 section 7.8), and how long a tunnel may stay open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The compiled `upgrade` of an API: protocols in lower case, times in seconds, 0: no limit."""

    protocols: frozenset[bytes]
    idle_s: float
    total_s: float
    drain_s: float

    @classmethod
    def compiled(cls, document: Mapping[str, Any] | None) -> Self | None:
        """Return what a normalised document means, None for none."""
        if document is None:
            return None
        protocols = frozenset(protocol.lower().encode("ascii") for protocol in document["protocols"])
        return cls(protocols, document["idle_s"], document["total_s"], document["drain_s"])

    def allows(self, protocol: bytes) -> bool:
        """Say whether a client may switch to this protocol, the value of an Upgrade field that names just one."""
        return protocol.lower() in self.protocols
