"""Answers requests from the store, or has them forwarded once for all that want the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from gproxy.core.errors import GatewayError, NotStored
from gproxy.core.http1 import parse_response_head
from gproxy.shared import layout
from gproxy.worker.cache.fetch import Fetch, Passing
from gproxy.worker.cache.flight import Flight, rest
from gproxy.worker.cache.question import Question, key_of, passes_by, question
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.core.cache_entry import Entry
    from gproxy.core.cache_rule import CacheRule
    from gproxy.core.snapshot import Api
    from gproxy.worker.cache.shelf import Shelf
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.node_part import NodePart
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime

#: Forwards a request, and returns when it is answered.
Forward = Callable[[], None]

_SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
#: How long a request waits for one that others have forwarded, and how often it looks whether another worker's landed.
_WAIT_S: Final = 5.0
_LOOK_S: Final = 0.005
#: How long another worker is believed to be fetching, and how long nobody waits where an answer was not stored.
_LEASE_MS: Final = 2000
_HOPELESS_S: Final = 5.0
_MOST_HOPELESS: Final = 4096


class Cache:
    """The store's side of one worker. Without a `shelf` nothing is stored."""

    def __init__(self, runtime: Runtime, recorder: Recorder, shelf: Shelf | None) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._shelf = shelf
        self._flights: dict[bytes, Flight] = {}
        self._hopeless: dict[int, float] = {}

    def answer(self, exchange: Exchange, api: Api, rule: CacheRule, forward: Forward) -> None:
        """Answer from the store, or by `forward`. Raises what that does, and NotStored."""
        shelf, method = self._shelf, exchange.method
        node = exchange.node
        target = exchange.rewritten if node.rewrite is not None and api.merge is None else exchange.target
        key = key_of(exchange, rule, node.cluster.name, target)
        asked = question(exchange, rule, key, exchange.fields.forward, self._serve)
        why = passes_by(exchange, asked.asked)
        if shelf is None or why:
            exchange.fetch = Passing(why or b"fwd=bypass")
            try:
                forward()
            finally:  # its server has done it even if its answer breaks off, or nobody takes it
                if shelf is not None and method not in _SAFE and 200 <= exchange.status < 400:
                    shelf.forget(key)  # RFC 9111 section 4.4
            return
        found = self._find(shelf, asked)
        if self._is_hit(asked, found):
            return
        if rule.obeys_clients and asked.asked.only_stored:
            raise NotStored("There is no stored answer to this request.")
        if method == b"HEAD":
            exchange.fetch = Passing(b"fwd=method")
            forward()
        else:
            self._shared(shelf, asked, found, forward)

    def complete(self, part: NodePart, rule: CacheRule, forward: Forward) -> None:
        """Have a part of an aggregation answered: from the store, or by `forward`."""
        shelf = self._shelf
        target = part.rewritten if part.node.rewrite is not None else part.target
        assert part.forward is not None
        asked = question(part, rule, key_of(part, rule, part.node.cluster.name, target), part.forward, _deliver)
        if shelf is None or part.method != b"GET" or part.body or asked.asked.passes_by:
            forward()
            return
        found = self._find(shelf, asked)
        if self._is_hit(asked, found):
            return

        def forward_and_look() -> None:
            forward()
            assert part.head is not None
            cast(Fetch, part.fetch).settle(part.head, part.data)

        self._shared(shelf, asked, found, forward_and_look)

    def _find(self, shelf: Shelf, asked: Question) -> Entry | None:
        found = shelf.find(asked.key, asked.block, asked.row)
        return found if found is not None and asked.may_have(found) else None

    # -- stored answers -----------------------------------------------------------------------------------------

    def _is_hit(self, asked: Question, found: Entry | None) -> bool:
        """Answer with what is stored if that will do."""
        if found is None or not _answers(found, asked):
            return False
        self._hit(asked, found)
        return True

    def _hit(self, asked: Question, entry: Entry, how: bytes = b"hit") -> None:
        self._recorder.count_row(asked.row, layout.ROW_CACHE_HITS)
        asked.deliver(asked, entry, b"%b; ttl=%d" % (how, entry.fresh_s - entry.age_s(monotonic())))

    def _serve(self, asked: Question, entry: Entry, why: bytes) -> None:
        """Answer with a stored answer, or tell the client that it has it already."""
        exchange, head, body, status = asked.exchange, entry.lines, entry.body, entry.status
        if asked.asked.is_conditional and entry.is_known_to(asked.asked):
            head, body, status = entry.lines_of_304(), b"", 304
        assert exchange.api is not None
        for after in exchange.api.after:
            head = after(exchange, head)
        head += b"Age: %d\r\nCache-Status: gproxy; %b\r\n" % (entry.age_s(monotonic()), why)
        if self._runtime.draining:
            exchange.keeps_alive = False
        if exchange.node.is_mirrored:
            exchange.tee = None  # copies are made of what servers answer
        exchange.status = status
        exchange.respond(head, body)

    # -- forwarding ---------------------------------------------------------------------------------------------

    def _shared(self, shelf: Shelf, asked: Question, stale: Entry | None, forward: Forward) -> None:
        """Forward a request, or wait for another one that brings the same answer."""
        flight = None
        key = _wish(shelf, asked)
        is_alone = (asked.asked.is_conditional and stale is None) or (
            asked.asked.wants_server and asked.rule.obeys_clients
        )
        if not is_alone and not self._is_hopeless(key):
            entry, flight = self._wait(shelf, asked, key)
            if entry is not None:
                self._hit(asked, entry, b"hit; collapsed")
                return
        try:
            self._forward(shelf, asked, stale, flight, forward)
        finally:
            if flight is not None:
                flight.land(None)

    def _forward(
        self, shelf: Shelf, asked: Question, stale: Entry | None, flight: Flight | None, forward: Forward
    ) -> None:
        exchange = asked.exchange
        self._recorder.count_row(asked.row, layout.ROW_CACHE_MISSES)
        fetch = Fetch(shelf, self._recorder, asked, stale, flight, _reason(asked, stale))
        fetch.ask_whether_it_holds()
        exchange.fetch = fetch
        try:
            forward()
        except GatewayError as error:
            has_begun = exchange.status and exchange.receive is None
            if has_begun or not fetch.stands_in_for(error.status):
                raise
            exchange.failed(error)
            exchange.keeps_alive &= not error.closes
            fetch.stand_in(error.code.encode("ascii"))

    def _wait(self, shelf: Shelf, asked: Question, key: bytes) -> tuple[Entry | None, Flight | None]:
        """Return an answer that another request has brought, or a flight that is this one's to make.

        Neither: it is forwarded by itself. `key` is what equal requests have in common.
        """
        exchange = asked.exchange
        until = min(monotonic() + _WAIT_S, exchange.deadline)
        while monotonic() < until:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight(partial(self._landed, shelf, key))
                try:
                    entry = self._wait_for_workers(shelf, asked, key, until)
                except BaseException:
                    flight.land(None)
                    raise
                if entry is None:
                    return None, flight
                flight.land(None)
                return entry, None
            flight.wait(exchange.client, until)
            entry = flight.answer_to(asked)
            if entry is None or not _answers(entry, asked):  # others may get only what is fresh (RFC 9111 section 4)
                entry = self._fresh(shelf, asked)
            if entry is not None or flight.is_hopeless:
                return entry, None
            key = _wish(shelf, asked)  # it may be known by now what answers vary with
        return None, None

    def _wait_for_workers(self, shelf: Shelf, asked: Question, key: bytes, until: float) -> Entry | None:
        """Return what another worker has fetched meanwhile; None when this one is to fetch it."""
        memory = shelf.memory
        while not memory.lease(key, _LEASE_MS):
            if monotonic() >= until:
                break
            rest(asked.exchange.client, Pause(), min(until, monotonic() + _LOOK_S))
            entry = self._fresh(shelf, asked)
            if entry is not None:
                return entry
        return None

    def _fresh(self, shelf: Shelf, asked: Question) -> Entry | None:
        """Return what is stored by now if it answers without its server."""
        found = self._find(shelf, asked)
        return found if found is not None and _answers(found, asked) else None

    def _landed(self, shelf: Shelf, key: bytes, flight: Flight) -> None:
        """Let others begin anew: nobody finds this flight any more."""
        del self._flights[key]
        shelf.memory.release(key)
        if flight.is_hopeless:
            if len(self._hopeless) >= _MOST_HOPELESS:
                self._hopeless.clear()
            self._hopeless[hash(key)] = monotonic() + _HOPELESS_S

    def _is_hopeless(self, key: bytes) -> bool:
        """Say whether an answer to this was not stored lately: nobody shall wait for the next one."""
        until = self._hopeless.get(hash(key))
        if until is not None and until <= monotonic():
            del self._hopeless[hash(key)]
            until = None
        return until is not None


def _wish(shelf: Shelf, asked: Question) -> bytes:
    """Return what those have in common who want the same answer.

    Those who ask as somebody, or with other values of what answers vary with, want another one.
    """
    return b"%b\0%d" % (shelf.place(asked.key, asked.block), asked.audience)


def _answers(entry: Entry, asked: Question) -> bool:
    """Say whether an entry answers without its server."""
    return entry.answers(asked.asked, monotonic(), asked.rule.obeys_clients)


def _deliver(asked: Question, entry: Entry, why: bytes) -> None:
    """Answer a part with a stored answer: what comes of it is the part's business."""
    part: Any = asked.exchange
    age_s = int(entry.age_s(monotonic()))
    lines = b"%bAge: %d\r\nContent-Length: %d\r\n" % (entry.lines, age_s, len(entry.body))
    part.head = parse_response_head(lines, sys.maxsize)
    part.status, part.data, part.code = entry.status, entry.body, ""
    part.sent = len(part.head.lines) + len(entry.body)


def _reason(asked: Question, stale: Entry | None) -> bytes:
    """Return why a request is forwarded (RFC 9211 section 2.2)."""
    if stale is None:
        return b"fwd=uri-miss"
    return b"fwd=request" if stale.is_fresh(monotonic()) else b"fwd=stale"
