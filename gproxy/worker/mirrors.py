"""Copies of requests for other clusters: fire and forget, after the client has its answer.

A copy is made when its original is over, so that it cannot slow it down, and nobody waits for what becomes of it. What
is in flight at a time is bounded, in number for each rule and in bytes for all of them; what would be more is dropped.
With `compare`, its answer is held against that of the original: differences are counted, and some are left as samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import random
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from gproxy.core.comparison import Answer
from gproxy.core.sample import sample
from gproxy.shared import layout
from gproxy.shared.samples import MOST_BYTES
from gproxy.worker.part import Part
from gproxy.worker.tee import Tee

if TYPE_CHECKING:
    from gproxy.core.mirror import Mirror
    from gproxy.core.node import Way
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.part import Send
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime

#: Copies in flight for one rule in one worker, and bytes of bodies that all copies of a worker hold.
MOST_COPIES: Final = 128
MOST_HELD_BYTES: Final = 32 << 20
#: Samples that one worker leaves in a second: each takes a few microseconds, and nobody reads more.
MOST_SAMPLES_PER_S: Final = 10


class Copy(Part):
    """A copy of `whole` for the way of a mirroring rule; `primary` is the answer to compare with, if there is one."""

    __slots__ = ("held", "mirror", "primary", "way")

    is_told = False

    def __init__(self, whole: Exchange, way: Way, mirror: Mirror, body: bytes, primary: Answer | None) -> None:
        super().__init__(whole, way.node, mirror.most_bytes, body)
        self.way = way
        self.mirror = mirror
        self.primary = primary
        self.deadline = self.started + mirror.timeout_s
        self.held = len(body) + mirror.most_bytes
        if way.node.rewrite is not None:
            self.rewritten = whole.rewritten

    def answer(self) -> Answer | None:
        """Return the answer as it is compared, None when there is none."""
        if self.head is None:
            return None
        return Answer(self.head.status, self.head.lines, self.data if self.failure is None else None)


class Mirrors:
    """Makes the copies of one worker; `send` is the dispatcher's, past all rules."""

    def __init__(self, runtime: Runtime, recorder: Recorder, send: Send) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._send = send
        self._in_flight: dict[str, int] = {}
        self._held = 0
        self._second, self._told = 0, 0

    def watch(self, exchange: Exchange, ways: Sequence[Way]) -> None:
        """Keep what copies for these ways will need of a request that is about to be answered."""
        mirrors = [(way.rule.name, way.rule.mirror) for way in ways if way.rule.mirror is not None]
        compared = frozenset(
            name for name, mirror in mirrors if mirror.compare is not None and random() * 100 < mirror.compare.percent
        )
        exchange.tee = Tee(max(mirror.most_bytes for _, mirror in mirrors), compared)

    def copy(self, exchange: Exchange, ways: Sequence[Way]) -> None:
        """Send the copies of a request that is over; those that there is no room for are dropped."""
        tee = exchange.tee
        assert tee is not None
        body, primary = tee.body(exchange), tee.answer or _collected(exchange)
        for way in ways:
            mirror = way.rule.mirror
            assert mirror is not None
            if body is None or len(body) > mirror.most_bytes or not self._has_room(way):
                self._recorder.count_row(way.rule.row, layout.ROW_REJECTED)
                continue
            copy = Copy(exchange, way, mirror, body, primary if way.rule.name in tee.compared else None)
            self._in_flight[way.rule.name] = self._in_flight.get(way.rule.name, 0) + 1
            self._held += copy.held
            self._recorder.enter_row(way.rule.row)
            self._runtime.start_soon(lambda copy=copy: self._run(copy))  # type: ignore[misc]

    def _has_room(self, way: Way) -> bool:
        return self._in_flight.get(way.rule.name, 0) < MOST_COPIES and self._held < MOST_HELD_BYTES

    def _run(self, copy: Copy) -> None:
        copy.run(self._send, self._recorder)  # whatever happens is told by the copy
        self._recorder.leave_row(copy, copy.way.rule.row, copy.head.status if copy.head else 0, layout.ROW_UNANSWERED)
        try:
            self._compare(copy)
        finally:
            self._release(copy)

    def _release(self, copy: Copy) -> None:
        name = copy.way.rule.name
        self._held -= copy.held
        self._in_flight[name] -= 1
        if not self._in_flight[name]:
            del self._in_flight[name]

    def _compare(self, copy: Copy) -> None:
        compare, primary, mirrored = copy.mirror.compare, copy.primary, copy.answer()
        if compare is None or primary is None or mirrored is None:
            return
        row = copy.way.rule.row
        self._recorder.count_row(row, layout.ROW_COMPARED)
        found = compare.differences(primary, mirrored)
        if not found:
            return
        self._recorder.count_row(row, layout.ROW_DIFFERED)
        if self._may_tell():
            about: dict[str, str | int] = {
                "rule": copy.way.rule.name,
                "time_ms": int(time() * 1000),
                "api": copy.api.name if copy.api is not None else "",
                "server": copy.server.name if copy.server is not None else "",
                "method": copy.method.decode("latin-1"),
                "target": copy.target.decode("latin-1"),
                "request_id": copy.request_id.decode("ascii"),
            }
            self._runtime.samples.tell(sample(about, found, MOST_BYTES))

    def _may_tell(self) -> bool:
        second = int(monotonic())
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        return self._told <= MOST_SAMPLES_PER_S


def _collected(exchange: Exchange) -> Answer | None:
    """Return the answer of an exchange that has collected it itself, as parts of an aggregation do."""
    if not isinstance(exchange, Part) or exchange.head is None or exchange.failure is not None:
        return None
    return Answer(exchange.head.status, exchange.head.lines, exchange.data)
