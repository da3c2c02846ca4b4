"""Where clients come in: the public addresses of all sections in one order, and what is spoken on each.

The master opens them in this order, and a worker finds its listening sockets in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gproxy.settings import Settings


@dataclass(frozen=True, slots=True)
class Entrance:
    """One bind and the key that asks for it (`[section] key`).

    `redirects`: every request is sent to https. `announces`: connections begin with a header of the PROXY protocol.
    """

    key: str
    bind: str
    speaks_tls: bool = False
    redirects: bool = False
    announces: bool = False


def entrances(settings: Settings) -> tuple[Entrance, ...]:
    """Return the public addresses: plain ones, those with TLS, those that only redirect."""
    announced = settings.gproxy.proxy_protocol
    lists = (
        ("[gproxy] bind", settings.gproxy.bind, False, False),
        ("[tls] bind", settings.tls.bind, True, False),
        ("[tls] redirect_bind", settings.tls.redirect_bind, False, True),
    )
    return tuple(
        Entrance(key, bind, speaks_tls, redirects, bind in announced)
        for key, binds, speaks_tls, redirects in lists
        for bind in binds
    )


def redirect_port(settings: Settings) -> int:
    """Return the port that redirects lead to: the one of the settings, or that of the first TLS address."""
    if settings.tls.redirect_port:
        return settings.tls.redirect_port
    ports = (bind.rpartition(":")[2] for bind in settings.tls.bind if not bind.startswith("unix:"))
    return int(next(ports, "443"))


def problems(settings: Settings) -> Iterator[str]:
    """Yield what is wrong between keys that each are right by themselves."""
    public = entrances(settings)
    if not public:
        yield "[gproxy] bind: must have at least one address, or [tls] bind"
    taken: dict[str, str] = {}
    for key, bind in [
        *((entrance.key, entrance.bind) for entrance in public),
        ("[control] bind", settings.control.bind),
    ]:
        if bind in taken and not bind.endswith(":0"):
            yield f"{key} = {bind}: is also one of {taken[bind]}"
        taken.setdefault(bind, key)
    for bind in settings.gproxy.proxy_protocol:
        if bind not in (entrance.bind for entrance in public):
            yield f"[gproxy] proxy_protocol = {bind}: is not one of the addresses in bind and redirect_bind"
    if settings.gproxy.proxy_protocol and not settings.gproxy.trusted_proxies:
        yield "[gproxy] proxy_protocol: needs trusted_proxies, nobody else is believed"
    tls = settings.tls
    if tls.bind and tls.client_certificates != "off" and tls.client_ca_file is None:
        yield f"[tls] client_certificates = {tls.client_certificates}: needs client_ca_file to check them against"
    if tls.redirect_bind and not tls.bind and not tls.redirect_port:
        yield "[tls] redirect_bind: needs [tls] bind, or redirect_port when TLS is somebody else's"
