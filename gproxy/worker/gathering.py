"""The parts of one request as they come in, and who waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from greenlet import getcurrent

from gproxy.core.merge import Merge, Told, parts_field
from gproxy.worker.link import ClientGone, hub
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.worker.connection import Client
    from gproxy.worker.node_part import NodePart


class Gathering:
    """What has become of the parts of one request. `parts` are those so far, by the places of their nodes."""

    __slots__ = ("_batch", "_came", "_is_decided", "_left", "_merge", "_pause", "parts")

    def __init__(self, merge: Merge) -> None:
        self.parts: dict[int, NodePart] = {}
        self._merge = merge
        self._came: list[bool | None] = [None] * len(merge.parts)
        self._batch: Sequence[int] = ()
        self._left = 0
        self._is_decided = False
        self._pause = Pause()

    def begin(self, batch: Sequence[int]) -> list[int]:
        """Note what has failed already of a batch whose parts are made, and return the others."""
        for index in batch:
            self._came[index] = self.parts[index].came
        waiting = [index for index in batch if self._came[index] is None]
        self._batch, self._left = batch, len(waiting)
        return waiting

    def wait(self, client: Client) -> None:
        """Return when nothing that is still to come can matter; raises ClientGone."""
        if client.gone:
            raise ClientGone("closed by the client")
        client.waits_for = self._pause
        try:
            self._pause.park()
        finally:
            client.waits_for = None

    def over(self, index: int) -> None:
        """Note what became of a part of the batch. When that decides the whole, tell who waits, and the others."""
        came = self._came[index] = self.parts[index].came
        self._left -= 1
        if not came and self._merge.parts[index].is_needed:
            self._is_decided = True
            self.leave(self._merge.needless(self._batch, self._came))
        if not self._left or (self._is_decided and self.decisive(self._batch) is not None):
            if getcurrent() is hub:
                self._pause.wake()
            else:
                hub.loop.run_callback(self._pause.wake)

    def decisive(self, batch: Sequence[int]) -> NodePart | None:
        """Return the part of a batch whose failure is the answer, None when there is none (yet)."""
        index = self._merge.decisive(batch, self._came)
        return None if index is None else self.parts[index]

    def leave(self, indexes: Sequence[int]) -> None:
        """Nobody wants these parts any more, if they are still to come."""
        for index in indexes:
            if self.parts[index].came is None:
                hub.loop.run_callback(self.parts[index].leave)

    def in_order(self) -> list[NodePart]:
        """Return the parts so far in the order of their nodes."""
        return [self.parts[index] for index in sorted(self.parts)]

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
