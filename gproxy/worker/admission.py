"""Limits of APIs and servers, asked before a request may go on: rates, and places for those that are there at a time.

A request is never delayed by a rate. It waits for a place only where a queue was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from gproxy.core.errors import Full, GatewayError, RateLimited
from gproxy.core.limiter import Limit, Room, seconds
from gproxy.shared import layout
from gproxy.shared.limits import Limits
from gproxy.shared.places import Places
from gproxy.shared.table import Table
from gproxy.worker.line import Lines

if TYPE_CHECKING:
    from gproxy.core.backends import Server
    from gproxy.core.snapshot import Api
    from gproxy.worker.exchange import Exchange

T = TypeVar("T")


class Admission:
    """The limits that one worker keeps together with the others of its node."""

    def __init__(self, table: Table, slot: int) -> None:
        self._limits = Limits(table, slot)
        self._places = Places(table, slot)
        self._lines = Lines(self._places)
        self._cells, self._rejected = table.cells, table.row_base(slot, 0) + layout.ROW_REJECTED

    def count(self, row: int, limit: Limit, key: bytes | None) -> int:
        """Count a request against the rate limit of an API; returns 0, else in how many seconds to ask again."""
        limits = self._limits
        wait_ns = limits.take(row, limit) if key is None else limits.take_key(row, key, limit)
        if not wait_ns:
            return 0
        self._count_rejected(row)
        return seconds(wait_ns)

    def ask(self, server: Server) -> GatewayError | None:
        """Return why a server cannot take a request now; None when it can: then the request has its place.

        A place must be given back, see `within`.
        """
        refusal = self._refusal(server)
        if refusal is not None:
            self._count_rejected(server.row)
        return refusal

    def _refusal(self, server: Server) -> GatewayError | None:
        room, limit = server.room, server.limit
        if room is not None and not self._take(server.row, room):
            return Full(server.row, room, f"server {server.name} has {room.most} requests in flight", "max_connections")
        wait_ns = self._limits.take(server.row, limit) if limit is not None else 0
        if limit is None or not wait_ns:
            return None
        self.leave(server)
        reason = f"max_qps of server {server.name}"
        return RateLimited(limit.rate, seconds(wait_ns), reason, refused_by="max_qps")

    def leave(self, server: Server) -> None:
        """Take back that a server was asked, because the request goes somewhere else."""
        if server.room is not None:
            self._give_back(server.row)

    def enter(self, exchange: Exchange, api: Api, room: Room, forward: Callable[[Exchange, Api], None]) -> None:
        """Forward a request while it has a place in an API that limits how many there may be; raises Full."""

        def take() -> None:
            if not self._take(api.row, room):
                raise Full(api.row, room, f"API {api.name} has {room.most} requests in flight", "max_concurrency")

        try:
            self.wait_for(exchange, take)
        except Full:
            self._count_rejected(api.row)
            raise
        self.within(api.row, forward, exchange, api)

    def wait_for(self, exchange: Exchange, action: Callable[[], T]) -> T:
        """Do what takes a place; when it raises Full, wait in the queue and do it again, if there is one."""
        try:
            return action()
        except Full as full:
            return self._lines.wait(exchange, full, action)

    def within(self, row: int, action: Callable[..., None], *arguments: Any) -> None:
        """Do what a place was taken for, and give the place back."""
        try:
            action(*arguments)
        finally:
            self._give_back(row)

    def _take(self, row: int, room: Room) -> bool:
        """Take a place, unless others have waited for it."""
        if room.queue and self._lines.turn != row and self._places.queued(row):
            return False
        return self._places.take(row, room.most)

    def _give_back(self, row: int) -> None:
        self._places.give_back(row)
        self._lines.look(row)

    def _count_rejected(self, row: int) -> None:
        self._cells[self._rejected + row * layout.ROW_CELLS] += 1
