"""Records every exchange exactly once: the worker's own cells, the access log, and a log line for failures."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gproxy.shared import layout

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange

log = logging.getLogger(__name__)

_TIMEOUTS = frozenset((408, 504))


class Recorder:
    """Writes the cells of one slot; `access` takes each finished exchange, None when the access log is off."""

    def __init__(self, cells: memoryview, base: int, access: Callable[[Exchange], None] | None) -> None:
        self._cells = cells
        self._active = base + layout.ACTIVE
        self._requests = base + layout.REQUESTS
        self._first_status = base + layout.STATUS_1XX - 1
        self._client_gone = base + layout.CLIENT_GONE
        self._bad_request = base + layout.BAD_REQUEST
        self._timeouts = base + layout.TIMEOUTS
        self._bytes_in = base + layout.BYTES_IN
        self._bytes_out = base + layout.BYTES_OUT
        self._access = access

    def begin(self) -> None:
        """Count a request that is in flight from now on."""
        self._cells[self._active] += 1

    def end(self, exchange: Exchange) -> None:
        """Count and log a request that is over."""
        cells = self._cells
        cells[self._active] -= 1
        cells[self._requests] += 1
        status = exchange.status
        if status == 499 and exchange.code:  # a server's own 499 is an answer like others
            cells[self._client_gone] += 1
        else:
            cells[self._first_status + min(status // 100, 5)] += 1  # 600 and more mean 5xx (RFC 9110 15)
        if exchange.received:
            cells[self._bytes_in] += exchange.received
        cells[self._bytes_out] += exchange.sent
        if exchange.code:
            self._end_unusual(exchange, status)
        if self._access is not None:
            self._access(exchange)

    def _end_unusual(self, exchange: Exchange, status: int) -> None:
        if exchange.code == "bad_request":
            self._cells[self._bad_request] += 1
        elif status in _TIMEOUTS:
            self._cells[self._timeouts] += 1
        if status >= 500 or exchange.code == "response_broken":
            log.warning("request failed", extra=failure(exchange))


def failure(exchange: Exchange) -> dict[str, object]:
    """Return what an operator wants to know about a request that failed here."""
    return {
        "status": exchange.status,
        "code": exchange.code,
        "reason": exchange.reason,
        "method": exchange.method.decode("latin-1"),
        "target": exchange.target.decode("latin-1"),
        "api": exchange.api.name if exchange.api is not None else "-",
        "server": exchange.server.name if exchange.server is not None else "-",
        "request_id": exchange.request_id.decode("ascii"),
    }
