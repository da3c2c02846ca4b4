"""Who listens in on responses: what is relayed to a client is given to the taps of its node as well, unframed.

A tap is opened for each response by what a filter (or another part of the configuration) has put into `node.taps`,
with the head that came from the server, before any edit. Taps never delay the client: they get each piece after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gproxy.core.http1 import ResponseHead
from gproxy.filters.base import Tap

if TYPE_CHECKING:
    from gproxy.core.node import OpenTap
    from gproxy.worker.exchange import Exchange


class Taps:
    """The taps of one response, told as one. Exactly one of `end` and `abandon` is said."""

    __slots__ = ("_taps",)

    def __init__(self, taps: Sequence[Tap]) -> None:
        self._taps = taps

    def feed(self, piece: bytes | memoryview) -> None:
        """Take a piece of the body; its memory is used again afterwards."""
        for tap in self._taps:
            tap.feed(piece)

    def end(self) -> None:
        """The body is whole."""
        for tap in self._taps:
            tap.end()

    def abandon(self) -> None:
        """The response was broken off, or its client has left: there will be no end."""
        for tap in self._taps:
            tap.abandon()


def open_taps(exchange: Exchange, head: ResponseHead, openers: Sequence[OpenTap] | None = None) -> Taps:
    """Return the taps that this response has: by these openers, or those of its node."""
    opened = (open_tap(exchange, head) for open_tap in (exchange.node.taps if openers is None else openers))
    return Taps([tap for tap in opened if tap is not None])
