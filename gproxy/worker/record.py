"""Records every exchange exactly once: cells of worker, API and servers, access log, and a log line for failures."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.backends import Server
from gproxy.core.errors import (
    AccessDenied,
    BadUpstream,
    BodyTooLarge,
    CircuitOpen,
    Forbidden,
    HeadTooLarge,
    NoServer,
    NotStored,
    Overloaded,
    RequestTimeout,
    TargetTooLong,
    Unauthorized,
    UpstreamTimeout,
)
from gproxy.core.histogram import bucket_of
from gproxy.core.snapshot import Api
from gproxy.core.validation import ValidationFailed
from gproxy.shared import layout

# Used for every request: a name of the module is found faster than one of another module.
from gproxy.shared.layout import (
    HISTOGRAM_CELLS,
    ROW_BYTES_IN,
    ROW_BYTES_OUT,
    ROW_CELLS,
    ROW_CLIENT_GONE,
    ROW_UNANSWERED,
)
from gproxy.shared.table import Table
from gproxy.worker.phases import phases_of

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.part import Part

log = logging.getLogger(__name__)

#: the outcome of an answer by the first digit of its status; 600 and more mean 5xx (RFC 9110 15)
_OUTCOMES = tuple(layout.ROW_STATUS_1XX - 1 + min(max(digit, 1), 5) for digit in range(10))
_TIMEOUTS = frozenset((RequestTimeout.code, UpstreamTimeout.code))
#: what the gateway does on purpose, and as often as asked: the one reason is told when it begins
_DELIBERATE = frozenset((CircuitOpen.code, NotStored.code))
#: what is refused -> the counter of the API
_LIMITS = {
    HeadTooLarge.code: layout.LARGE_HEADS,
    TargetTooLong.code: layout.LARGE_HEADS,
    BodyTooLarge.code: layout.LARGE_BODIES,
}
_REFUSED = {
    AccessDenied.code: layout.ROW_DENIED,
    Unauthorized.code: layout.ROW_UNAUTHORIZED,
    Forbidden.code: layout.ROW_UNAUTHORIZED,
    ValidationFailed.code: layout.ROW_INVALID,
}
#: what is the server's doing
_SERVER_FAILURES = frozenset((BadUpstream.code, UpstreamTimeout.code, "response_broken"))
#: what is a failure whatever the client was told: an API may have another answer for it
_FAILURES = _SERVER_FAILURES | {NoServer.code, Overloaded.code}


class Recorder:
    """Writes the cells of one slot: of the worker as a whole, and of each API and server it works for.

    `access` takes each finished exchange, None when the access log is off. What is begun is ended exactly once:
    `begin` by `end` for the request, `enter` by `end` for its API, `attempt` by `attempt_over` or `end` for a server.
    """

    def __init__(self, table: Table, slot: int, access: Callable[[Exchange], None] | None) -> None:
        base = table.base(slot)
        self._cells, self._base = table.cells, base
        self._active = base + layout.ACTIVE
        self._outcomes = base + layout.STATUS_1XX - layout.ROW_STATUS_1XX
        self._bad_request = base + layout.BAD_REQUEST
        self._timeouts = base + layout.TIMEOUTS
        self._bytes_in = base + layout.BYTES_IN
        self._bytes_out = base + layout.BYTES_OUT
        self._histogram = table.slot_histogram_base(slot)
        self._rows = table.row_base(slot, 0)
        self._histograms = table.histogram_base(slot, 0)
        self._access = access
        #: takes each part that is over, where somebody wants to know
        self.traced: Callable[[Part], None] | None = None

    def begin(self) -> None:
        """Count a request that is in flight from now on."""
        self._cells[self._active] += 1

    def enter(self, exchange: Exchange, api: Api) -> None:
        """Count a request of this API that is in flight from now on."""
        exchange.api = api
        self._cells[self._rows + api.row * ROW_CELLS] += 1

    def begin_in(self, exchange: Exchange, api: Api) -> None:
        """Count a request of this API that is in flight from now on: `begin` and `enter` in one."""
        cells = self._cells
        exchange.api = api
        cells[self._active] += 1
        cells[self._rows + api.row * ROW_CELLS] += 1

    def attempt(self, exchange: Exchange, server: Server) -> None:
        """Count an attempt to have the request answered by this server, in flight from now on.

        The first one begins with the exchange, a further one with its `attempted`.
        """
        exchange.server = server
        self._cells[self._rows + server.row * ROW_CELLS] += 1

    def attempt_over(self, exchange: Exchange, status: int, code: str = "", reason: str = "") -> None:
        """Count an attempt that will be followed by another one; `status` 0: there was no answer, `code` says why."""
        server, api = exchange.server, exchange.api
        assert server is not None
        assert api is not None
        self.let_go(exchange, status, code, reason)
        self.count_row(server.row, layout.ROW_RETRIES)
        self.count_row(api.row, layout.ROW_RETRIES)

    def let_go(self, exchange: Exchange, status: int, code: str = "", reason: str = "") -> None:
        """Count an attempt whose answer is not what the client gets; the rest is as above."""
        server = exchange.server
        assert server is not None
        outcome = _OUTCOMES[status // 100] if status else ROW_UNANSWERED
        self._count_row(exchange, server.row, outcome, bucket_of(monotonic() - exchange.attempted))
        if not status:
            self.count_row(server.row, layout.ROW_FAILURES)
        phases_of(exchange).give_up(exchange, status, code, reason)
        exchange.server = None

    def part_over(self, part: Part, status: int) -> None:
        """Count what became of a request of the gateway's own at the server tried last, and log a failure.

        `status` is that of the answer, 0 without one. Requests of clients end with `end`.
        """
        server = part.server
        if server is not None:
            took_s = (part.answered or monotonic()) - part.attempted
            is_gone = part.status == 499 and part.code
            outcome = ROW_CLIENT_GONE if is_gone else _OUTCOMES[status // 100] if status else ROW_UNANSWERED
            self._count_row(part, server.row, outcome, bucket_of(took_s))
            if part.code in _SERVER_FAILURES:
                self.count_row(server.row, layout.ROW_FAILURES)
            if self.traced is not None:
                self.traced(part)
        if part.is_told and part.code and part.status >= 500 and part.code not in _DELIBERATE:
            log.warning("a part of a request failed", extra=failure(part))

    def part_whole(self, part: Part, now_s: float) -> None:
        """As `part_over`, for what went the short way: the whole answer of the server came at once."""
        cells, server = self._cells, part.server
        assert server is not None
        base = self._rows + server.row * ROW_CELLS
        cells[base] -= 1
        cells[base + _OUTCOMES[part.status // 100]] += 1
        cells[base + ROW_BYTES_OUT] += part.sent
        cells[self._histograms + server.row * HISTOGRAM_CELLS + bucket_of(now_s - part.attempted)] += 1
        if part.received:
            cells[base + ROW_BYTES_IN] += part.received
        if self.traced is not None:
            self.traced(part)

    def end(self, exchange: Exchange) -> None:
        """Count and log a request that is over: for the worker, for its API, and for the server tried last."""
        cells = self._cells
        now, status, received, sent = monotonic(), exchange.status, exchange.received, exchange.sent
        if status == 101:
            now = exchange.answered  # how long a tunnel stays open says nothing of how fast anybody is
        index = bucket_of(now - exchange.started)
        # A server's own 499 is an answer like others.
        outcome = ROW_CLIENT_GONE if status == 499 and exchange.code else _OUTCOMES[status // 100]
        cells[self._active] -= 1
        cells[self._histogram + index] += 1
        cells[self._outcomes + outcome] += 1
        if received:
            cells[self._bytes_in] += received
        cells[self._bytes_out] += sent
        api, server = exchange.api, exchange.server
        if api is not None:
            self._count_row(exchange, api.row, outcome, index)
            if server is not None:
                if exchange.code and not exchange.answered and status != 499:
                    outcome = ROW_UNANSWERED  # the status is the gateway's
                # The time of a server ends with its response head: how fast a client takes the body is not its doing.
                took_s = (exchange.answered or now) - exchange.attempted
                self._count_row(exchange, server.row, outcome, bucket_of(took_s))
        if exchange.code:
            self._end_unusual(exchange, status)
        if self._access is not None:
            self._access(exchange)

    def enter_row(self, row: int) -> None:
        """Count a request that a rule (its row) leads elsewhere, in flight from now on."""
        self._cells[self._rows + row * ROW_CELLS] += 1

    def leave_row(self, exchange: Exchange, row: int, status: int, without: int = ROW_CLIENT_GONE) -> None:
        """Count such a request that is over; `status` 0: its client has left before there was an answer.

        `without` is the outcome that an end without a status is.
        """
        outcome = _OUTCOMES[status // 100] if status else without
        self._count_row(exchange, row, outcome, bucket_of(monotonic() - exchange.started))

    def end_whole(self, exchange: Exchange, now_s: float) -> None:
        """As `end`, for what went the short way: answered by the server, whose whole answer came at once."""
        cells, rows, histograms = self._cells, self._rows, self._histograms
        api, server, received, sent = exchange.api, exchange.server, exchange.received, exchange.sent
        assert api is not None
        assert server is not None
        index = bucket_of(now_s - exchange.started)
        outcome = _OUTCOMES[exchange.status // 100]
        cells[self._active] -= 1
        cells[self._histogram + index] += 1
        cells[self._outcomes + outcome] += 1
        cells[self._bytes_out] += sent
        for row in (api.row, server.row):
            base = rows + row * ROW_CELLS
            cells[base] -= 1
            cells[base + outcome] += 1
            cells[base + ROW_BYTES_OUT] += sent
            cells[histograms + row * HISTOGRAM_CELLS + index] += 1
            if received:
                cells[base + ROW_BYTES_IN] += received
        if received:
            cells[self._bytes_in] += received
        if self._access is not None:
            self._access(exchange)

    def note_connections(self, server: Server, is_open: int, idle: int) -> None:
        """Note how many connections to a server are open, and how many of them wait."""
        base = self._rows + server.row * ROW_CELLS
        self._cells[base + layout.ROW_CONNECTIONS] = is_open
        self._cells[base + layout.ROW_IDLE] = idle

    def count_row(self, row: int, counter: int) -> None:
        """Add one to a counter of a server or an API (an offset such as layout.ROW_RETRIES)."""
        self._cells[self._rows + row * ROW_CELLS + counter] += 1

    def _count_row(self, exchange: Exchange, row: int, column: int, index: int) -> None:
        """Count what is over in the cells of a row: one of the ROW_OUTCOMES, which is `column`."""
        cells = self._cells
        base = self._rows + row * ROW_CELLS
        cells[base] -= 1
        cells[self._histograms + row * HISTOGRAM_CELLS + index] += 1
        cells[base + column] += 1
        if exchange.received:
            cells[base + ROW_BYTES_IN] += exchange.received
        if column != ROW_UNANSWERED:  # else what was sent came from the gateway
            cells[base + ROW_BYTES_OUT] += exchange.sent

    def _end_unusual(self, exchange: Exchange, status: int) -> None:
        if exchange.code == "bad_request":
            self._cells[self._bad_request] += 1
        elif exchange.code in _TIMEOUTS:
            self._cells[self._timeouts] += 1
        elif exchange.code in _LIMITS:
            self._cells[self._base + _LIMITS[exchange.code]] += 1
        elif exchange.code in _REFUSED and exchange.api is not None:
            self.count_row(exchange.api.row, _REFUSED[exchange.code])
        if exchange.code in _DELIBERATE:
            return
        if status >= 500 or exchange.code in _FAILURES:
            log.warning("request failed", extra=failure(exchange))
            if exchange.api is not None:
                self.count_row(exchange.api.row, layout.ROW_FAILURES)
        if exchange.server is not None and exchange.code in _SERVER_FAILURES:
            self.count_row(exchange.server.row, layout.ROW_FAILURES)


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
