"""The parts of one request as they come in, and who waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from greenlet import getcurrent

from gproxy.core.merge import Merge, Told, parts_field
from gproxy.worker.link import ClientGone, hub
from gproxy.worker.node_part import LARGE_BYTES
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.node_part import NodePart


class Taker(Protocol):
    """Who takes parts that nobody waits for in a greenlet (whole_express.py); called by the loop."""

    def finish(self, gathering: Gathering) -> None:
        """Go on: the batch is over, or the client has gone."""
        ...


class Gathering:
    """What has become of the parts of one request. `parts` are those so far, by the places of their nodes.

    They come in batches, of which one `is_over` when nothing that is still to come of it can matter. `taker` is told
    then, if it is there, else the greenlet that waits.
    """

    __slots__ = (
        "_batch",
        "_batches",
        "_came",
        "_is_decided",
        "_left",
        "_merge",
        "_pause",
        "exchange",
        "is_over",
        "parts",
        "taker",
    )

    def __init__(self, exchange: Exchange, merge: Merge) -> None:
        self.exchange = exchange
        self.parts: dict[int, NodePart] = {}
        self.taker: Taker | None = None
        self.is_over = True
        self._merge = merge
        self._batches = iter(merge.batches)
        self._batch: Sequence[int] = ()
        self._came: list[bool | None] = [None] * len(merge.parts)
        self._left = 0
        self._is_decided = False
        self._pause: Pause | None = None

    # -- a batch -----------------------------------------------------------------------------------------------

    def next_batch(self) -> Sequence[int]:
        """Return the places of the next batch, whose parts are to be made before it can `begin`; () at the end."""
        self._batch = next(self._batches, ())
        return self._batch

    def begin(self) -> list[NodePart]:
        """Note what has failed already of the batch, and return the parts that are to be asked."""
        batch, parts = self._batch, self.parts
        asked = [parts[index] for index in batch if parts[index].came is None]
        if len(asked) < len(batch):
            for index in batch:
                self._came[index] = parts[index].came
            if not asked or self.decisive() is not None:
                return []
        self._left, self.is_over = len(asked), False
        for part in asked:
            part.gathering = self
        return asked

    def over(self, index: int) -> None:
        """Note what became of a part of the batch. When that decides the whole, tell who waits, and the others."""
        came = self._came[index] = self.parts[index].came
        self._left -= 1
        if not came and self._merge.parts[index].is_needed:
            self._is_decided = True
            self._leave(self._merge.needless(self._batch, self._came))
        if not self._left or (self._is_decided and self.decisive() is not None):
            self.is_over = True
            if getcurrent() is hub:
                self._go_on()
            else:
                hub.loop.run_callback(self._go_on)

    def leave(self) -> None:
        """Nobody wants the parts of the batch any more that are still to come."""
        self._leave(self._batch)

    def _leave(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            if self.parts[index].gathering is not None:
                hub.loop.run_callback(self.parts[index].leave)

    # -- who waits for it --------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Return when the batch is over; raises ClientGone."""
        client = self.exchange.client
        if self.is_over:
            return
        if client.gone:
            raise ClientGone("closed by the client")
        self._pause = client.waits_for = Pause()
        try:
            self._pause.park()
        finally:
            client.waits_for = None

    def interrupt(self, error: BaseException) -> bool:
        """Tell the taker that the client has gone: it stands where a link does (`Client.waits_for`)."""
        self._go_on()
        return True

    def _go_on(self) -> None:
        taker, self.taker = self.taker, None
        if taker is not None:
            taker.finish(self)
        elif self._pause is not None:
            self._pause.wake()

    # -- what has become of it ---------------------------------------------------------------------------------

    def decisive(self) -> NodePart | None:
        """Return the part of the batch whose failure is the answer, None when there is none (yet)."""
        if False not in self._came:
            return None
        index = self._merge.decisive(self._batch, self._came)
        return None if index is None else self.parts[index]

    def in_order(self) -> list[NodePart]:
        """Return the parts so far in the order of their nodes."""
        return [self.parts[index] for index in sorted(self.parts)]

    def is_large(self) -> bool:
        """Say whether it takes long to make a whole of the parts."""
        return sum([len(part.data) for part in self.parts.values()]) > LARGE_BYTES

    def has_all(self) -> bool:
        """Say whether every part came."""
        return all(self._came)

    def is_complete(self) -> bool:
        """Say whether every part came, or is made up for."""
        return self._merge.is_complete(self._came)

    def told(self) -> str:
        """Return what became of those that are over, for X-Gateway-Parts; not of those that were given up."""
        return parts_field(
            [
                Told(part.rule.name, part.status, part.took_ms, part.attempts, not part.came and part.rule.has_default)
                for part in self.in_order()
                if part.came is not None and not part.client.gone
            ]
        )
