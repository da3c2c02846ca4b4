"""Tells who answered a request to whom may know: see core/inspection.py."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from gproxy.core import inspection

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.node_part import NodePart


def inspected(exchange: Exchange) -> bytes:
    """Return the field line that an exchange asks for, b"" when it does not, or may not.

    Times are milliseconds: `ms` since the request came, `server_ms` since the server was asked.
    """
    if not inspection.is_asked(exchange.fields.claims, exchange.client.runtime.inspection_key):
        return b""
    api = exchange.api
    is_whole = api is not None and api.merge is not None
    parts = getattr(exchange, "parts", {}) if is_whole else {}  # set once it is known that there are any
    told = {"api": api.name if api is not None else None, **_told(exchange, monotonic()), "code": exchange.code or None}
    return inspection.line(told, [_part(parts[index]) for index in sorted(parts)])


def _told(exchange: Exchange, now_s: float) -> dict[str, Any]:
    server = exchange.server
    return {
        "server": server.name if server is not None else None,
        "address": str(server.endpoint) if server is not None else None,
        "attempts": getattr(exchange, "attempts", 0) or int(server is not None),  # counted where there may be several
        "ms": round((now_s - exchange.started) * 1000, 3),
        "server_ms": round(((exchange.answered or now_s) - exchange.attempted) * 1000, 3)
        if server is not None
        else None,
        "reason": exchange.reason or None,
    }


def _part(part: NodePart) -> dict[str, Any]:
    """Return what became of one part of an aggregation; the one that is still on its way has no status."""
    ended_s = part.started + part.took_ms / 1000
    return {
        **_told(part, ended_s if part.took_ms else monotonic()),
        "name": part.rule.name,
        "status": part.status or None,
        "code": part.code or None,
        "came": part.came is True,
        "bytes": len(part.data),
        "headers": inspection.fields(part.lines) if part.lines else [],
    }
