"""Which certificate a TLS client gets for the host that it asks for (SNI, RFC 6066 3).

An exact name goes before a wildcard, which stands for one label (RFC 6125 6.4.3). Among certificates for one name a
valid one goes before one that is not, then the one that stays valid longest, then the first by its own name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: The word for having no default.
NONE = "none"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What choosing needs to know: `name` in the folder, host names (lower case), validity in seconds since 1970."""

    name: str
    hosts: tuple[str, ...]
    not_before_s: int
    not_after_s: int

    def is_valid(self, now_s: float) -> bool:
        """Say whether clients accept it at that time."""
        return self.not_before_s <= now_s < self.not_after_s


class ServerNames:
    """The certificates by host name. `default` names the one for other hosts, "" the first, "none" no one."""

    __slots__ = ("_by_host", "_default")

    def __init__(self, certificates: Iterable[Certificate], default: str, now_s: float) -> None:
        ranked = sorted(certificates, key=lambda one: (not one.is_valid(now_s), -one.not_after_s, one.name))
        self._by_host: dict[str, Certificate] = {}
        for certificate in ranked:
            for host in certificate.hosts:
                self._by_host.setdefault(host, certificate)
        if default in ("", NONE):
            named = sorted(ranked, key=lambda one: one.name) if not default else []
        else:
            named = [certificate for certificate in ranked if certificate.name == default]
        self._default = named[0] if named else None

    def find(self, host: str | None) -> Certificate | None:
        """Return the certificate for a host (None: the client names none), None when it is to be refused."""
        if host:
            host = host.lower().removesuffix(".")
            found = self._by_host.get(host) or self._by_host.get("*." + host.partition(".")[2])
            if found is not None:
                return found
        return self._default
