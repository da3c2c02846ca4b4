"""Copies of requests for other clusters: fire and forget, after the client has its answer.

A copy is made when its original is over, so that it cannot slow it down, and nobody waits for what becomes of it. What
is in flight at a time is bounded, in number for each rule and in bytes for all of them; what would be more is dropped.
Where copies find nobody who answers, none are made but one now and then. With `compare`, the answer is held against
that of the original: differences are counted, and some are left as samples.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import random
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from gproxy.core.comparison import Answer
from gproxy.core.sample import sample
from gproxy.shared import layout
from gproxy.shared.samples import MOST_BYTES
from gproxy.worker.link import hub
from gproxy.worker.part import Part
from gproxy.worker.tee import Tee

if TYPE_CHECKING:
    from gproxy.core.mirror import Mirror
    from gproxy.core.node import Way
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.part_express import PartExpress
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime

log = logging.getLogger(__name__)

#: Copies in flight for one rule in one worker, and bytes of bodies that all copies of a worker hold.
MOST_COPIES: Final = 128
MOST_HELD_BYTES: Final = 32 << 20
#: Copies in a row without an answer after which those of a rule rest, and for how long until another one is tried.
MOST_UNANSWERED: Final = 5
REST_S: Final = 1.0
#: Rules that are remembered for it: those that are gone go as well, when there are too many.
_MOST_RULES: Final = 1_000
#: Samples that one worker leaves in a second: each takes a few microseconds, and nobody reads more.
MOST_SAMPLES_PER_S: Final = 10


class Copy(Part):
    """A copy of `whole` for the way of a mirroring rule; `primary` is the answer to compare with, if there is one.

    `over` is called with it at its end.
    """

    __slots__ = ("held", "mirror", "over", "primary", "rule")

    is_told = False

    def __init__(self, whole: Exchange, way: Way, mirror: Mirror, body: bytes, primary: Answer | None) -> None:
        super().__init__(whole, way.node, mirror.most_bytes, body)
        self.rule = way.rule
        self.mirror = mirror
        self.primary = primary
        self.deadline = self.started + mirror.timeout_s
        self.held = len(body) + mirror.most_bytes
        self.over: Callable[[Copy], None]
        if way.node.rewrite is not None:
            self.rewritten = whole.rewritten

    def ended(self, now_s: float) -> None:
        """Say that the copy is over, whether there was an answer or not."""
        self.over(self)

    def answer(self) -> Answer | None:
        """Return the answer as it is compared, None when there is none."""
        if self.head is None:
            return None
        return Answer(self.head.status, self.head.lines, self.data if self.failure is None else None)


class Flights:
    """The copies of one rule in one worker: how many there are, and whether they rest because nobody answers."""

    __slots__ = ("in_flight", "rests_until_s", "unanswered")

    def __init__(self) -> None:
        self.in_flight = 0
        self.unanswered = 0
        self.rests_until_s = 0.0

    def have_room(self) -> bool:
        """Say whether one more may go."""
        if self.unanswered < MOST_UNANSWERED:
            return self.in_flight < MOST_COPIES
        return not self.in_flight and monotonic() >= self.rests_until_s

    def over(self, was_answered: bool) -> bool:
        """Note that one is over; return whether the others have to rest from now on."""
        self.in_flight -= 1
        if was_answered:
            self.unanswered = 0
            return False
        self.unanswered += 1
        self.rests_until_s = monotonic() + REST_S
        return self.unanswered == MOST_UNANSWERED


class Mirrors:
    """Makes the copies of one worker, which `express` has answered."""

    def __init__(self, runtime: Runtime, recorder: Recorder, express: PartExpress) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._express = express
        self._flights: dict[str, Flights] = {}
        self._held = 0
        self._second, self._told = 0, 0

    def watch(self, exchange: Exchange) -> None:
        """Keep what copies will need of a request that is about to be answered."""
        mirrors = [(way.rule.name, way.rule.mirror) for way in exchange.copied if way.rule.mirror is not None]
        compared = frozenset(
            name for name, mirror in mirrors if mirror.compare is not None and random() * 100 < mirror.compare.percent
        )
        exchange.tee = Tee(max(mirror.most_bytes for _, mirror in mirrors), compared)

    def copy(self, exchange: Exchange, tee: Tee) -> None:
        """Send the copies of a request that is over; those that there is no room for are dropped."""
        body, primary = tee.body(exchange), tee.answer or _collected(exchange)
        for way in exchange.copied:
            rule, mirror = way.rule, way.rule.mirror
            assert mirror is not None
            flights = self._flights.get(rule.name) or self._new_flights(rule.name)
            is_small = body is not None and len(body) <= mirror.most_bytes
            if body is None or not is_small or self._held >= MOST_HELD_BYTES or not flights.have_room():
                self._recorder.count_row(rule.row, layout.ROW_REJECTED)
                continue
            copy = Copy(exchange, way, mirror, body, primary if rule.name in tee.compared else None)
            copy.over = self._over
            flights.in_flight += 1
            self._held += copy.held
            self._recorder.enter_row(rule.row)
            hub.loop.run_callback(self._begin, copy)

    def _new_flights(self, rule: str) -> Flights:
        if len(self._flights) >= _MOST_RULES:
            self._flights = {name: flights for name, flights in self._flights.items() if flights.in_flight}
        flights = self._flights[rule] = Flights()
        return flights

    def _begin(self, copy: Copy) -> None:
        step = self._express.begin(copy)
        if step is not None:
            self._runtime.start(step)

    def _over(self, copy: Copy) -> None:
        rule = copy.rule
        self._recorder.leave_row(copy, rule.row, copy.head.status if copy.head else 0, layout.ROW_UNANSWERED)
        self._held -= copy.held
        if self._flights[rule.name].over(copy.head is not None):
            about = {"rule": rule.name, "cluster": rule.cluster.name, "reason": copy.reason}
            log.warning("a mirror rests: nobody answers its copies", extra=about)
        self._compare(copy)

    def _compare(self, copy: Copy) -> None:
        compare, primary, mirrored = copy.mirror.compare, copy.primary, copy.answer()
        if compare is None or primary is None or mirrored is None:
            return
        row = copy.rule.row
        self._recorder.count_row(row, layout.ROW_COMPARED)
        found = compare.differences(primary, mirrored)
        if not found:
            return
        self._recorder.count_row(row, layout.ROW_DIFFERED)
        if self._may_tell():
            about: dict[str, str | int] = {
                "rule": copy.rule.name,
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
