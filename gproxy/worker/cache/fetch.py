"""A request that is forwarded where answers are stored: its answer is looked at, stored, or replaced by a stored one.

It is a tap of the response (worker/tap.py): the client is never delayed, and only what came whole is kept.
"""

from __future__ import annotations

import re
from dataclasses import replace
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from gproxy.core.cache_store import Received, Verdict, freshened, verdict
from gproxy.core.http1 import UNTIL_CLOSE
from gproxy.shared import layout
from gproxy.worker.respond import date

if TYPE_CHECKING:
    from gproxy.core.cache_entry import Entry
    from gproxy.core.cache_vary import Variants
    from gproxy.core.http1 import ResponseHead
    from gproxy.worker.cache.flight import Flight
    from gproxy.worker.cache.question import Question
    from gproxy.worker.cache.shelf import Shelf
    from gproxy.worker.record import Recorder

#: Answers in whose place a stale one may stand (RFC 5861 section 4).
STOOD_IN_FOR: Final = frozenset((500, 502, 503, 504))
_CONDITIONS: Final = re.compile(rb"^if-(?:none-match|modified-since):[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_DATE: Final = re.compile(rb"^date:", re.IGNORECASE | re.MULTILINE)


class Passing:
    """Stands in the place of a fetch for a request that the store has no part in; `why` as Cache-Status has it."""

    __slots__ = ("_why",)

    def __init__(self, why: bytes) -> None:
        self._why = why

    def open(self, head: ResponseHead) -> None:
        """Do not listen."""

    def told(self) -> bytes:
        """Return the line that tells the client."""
        return b"Cache-Status: gproxy; %b\r\n" % self._why

    def instead(self, head: ResponseHead) -> bool | None:
        """Let the answer pass as it is."""
        return None

    def stands_in_for(self, status: int) -> bool:
        """Say no: there is no other answer."""
        return False

    def whole(self, lines: bytes, body: bytes, is_complete: bool, most_s: float) -> bytes:
        """Store nothing of an answer that was made of several; return the line that tells the client."""
        return self.told()


class Fetch:
    """The fetch for `question`; `stale` is what is stored and may not be used as it is, None when nothing is.

    `flight` is what others wait for, None when nobody can.
    """

    __slots__ = (
        *("_began", "_body", "_flight", "_is_checking", "_purged", "_question"),
        *("_recorder", "_shelf", "_size", "_stale", "_verdict", "_why"),
    )

    def __init__(
        self,
        shelf: Shelf,
        recorder: Recorder,
        question: Question,
        stale: Entry | None,
        flight: Flight | None,
        why: bytes,
    ) -> None:
        self._shelf, self._recorder, self._question = shelf, recorder, question
        self._stale, self._flight, self._why = stale, flight, why
        self._began = monotonic()
        self._purged = shelf.memory.purged()
        self._verdict: Verdict | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._is_checking = False

    def ask_whether_it_holds(self) -> None:
        """Let the server say whether what is stored still holds, instead of sending it all again, if it can."""
        conditions = self._stale.conditions() if self._stale is not None else b""
        if conditions:
            exchange = self._question.exchange
            exchange.forward = _CONDITIONS.sub(b"", exchange.outgoing()) + conditions
            self._is_checking = True

    # -- an answer on its way to the client ---------------------------------------------------------------------

    def open(self, head: ResponseHead) -> Fetch | None:
        """Look at the head of an answer; return what takes its body, None when it is not stored."""
        return None if self._judge(head).entry is None else self

    def feed(self, piece: bytes | memoryview) -> None:
        """Take a piece of the body."""
        self._size += len(piece)
        if not self._fits(self._size):
            self._body.clear()
            self._give_up()
        elif self._verdict is not None:
            self._body.append(bytes(piece))

    def end(self) -> None:
        """The answer is whole: store it."""
        if self._verdict is not None:
            self._keep(self._verdict, b"".join(self._body))

    def abandon(self) -> None:
        """It broke off: it is not stored."""
        self._body.clear()

    def told(self) -> bytes:
        """Return the line that tells the client what the store had to do with its answer (RFC 9211)."""
        return b"Cache-Status: gproxy; %b\r\n" % self._why

    # -- a stored answer in its place ---------------------------------------------------------------------------

    def instead(self, head: ResponseHead) -> bool | None:
        """Give a stored answer in place of this one, and return whether its server has no body to send with it.

        None: nothing was done, the answer passes.
        """
        if head.status == 304 and self._is_checking:
            self._confirm(head)
            return True
        if not self.stands_in_for(head.status):
            return None
        self._recorder.let_go(self._question.exchange, head.status)
        self.stand_in(b"status %d" % head.status)
        return False

    def stands_in_for(self, status: int) -> bool:
        """Say whether a stale answer is given in place of one with this status."""
        stale = self._stale
        stands_in = status in STOOD_IN_FOR and stale is not None and stale.stands_in(monotonic())
        return stands_in and not self._is_purged()

    def _confirm(self, head: ResponseHead) -> None:
        """Give the stored answer, which its server has said to hold still, and keep it so."""
        assert self._stale is not None
        entry = freshened(self._question.rule, self._stale, self._received(head))
        is_for_others = not self._is_purged()
        if is_for_others:
            self._shelf.put(entry, self._question.row)
        self._land(entry if is_for_others and entry.key == self._question.key else None)
        self._count(layout.ROW_CACHE_REVALIDATED)
        self._question.deliver(self._question, entry, self._why + b"; fwd-status=304")

    def stand_in(self, why: bytes) -> None:
        """Give the stale answer because the server has failed."""
        assert self._stale is not None
        self._count(layout.ROW_CACHE_STALE)
        ttl = self._stale.fresh_s - self._stale.age_s(monotonic())
        self._question.deliver(self._question, self._stale, b'hit; ttl=%d; detail="%b"' % (ttl, why))

    # -- an answer that is at hand whole ------------------------------------------------------------------------

    def whole(self, lines: bytes, body: bytes, is_complete: bool, most_s: float) -> bytes:
        """Store an answer that was made of several if all were there; return the line that tells the client.

        It is fresh for `most_s` at most: that is what those of them say who say anything.
        """
        if not is_complete:
            self._refuse("incomplete")
            return self.told()
        question = self._question
        question.rule = replace(question.rule, ttl_s=min(question.rule.ttl_s, most_s))
        now = monotonic()
        received = Received(200, _dated(b"HTTP/1.1 200 OK\r\n" + lines), True, self._began, now, int(time()))
        found = self._decide(received, len(body))
        if found.entry is not None:
            self._keep(found, body)
        return self.told()

    def settle(self, head: ResponseHead, body: bytes) -> None:
        """Store the answer of a part, or give a stored one in its place."""
        if self.instead(head) is not None:
            return
        found = self._judge(head)
        if found.entry is not None and self._fits(len(body)):
            self._keep(found, body)

    # -- storing ------------------------------------------------------------------------------------------------

    def _judge(self, head: ResponseHead) -> Verdict:
        return self._decide(self._received(head), max(head.length, 0))

    def _received(self, head: ResponseHead) -> Received:
        now = monotonic()
        is_delimited = head.length != UNTIL_CLOSE or head.status == 204  # which has no body
        return Received(head.status, _dated(head.lines), is_delimited, self._began, now, int(time()))

    def _decide(self, received: Received, size: int) -> Verdict:
        question = self._question
        found = verdict(question.rule, question.key, question.audience, received)
        if found.entry is not None and not self._fits(size):
            found = Verdict(None, "too large")
        if found.entry is None:
            self._refuse(found.reason)
        else:
            self._verdict = found
            self._why += b"; stored"
        return found

    def _refuse(self, reason: str) -> None:
        self._why += b'; detail="%b"' % reason.encode("ascii", "replace")
        self._give_up()

    def _give_up(self) -> None:
        """Nothing will be stored: who waits need not."""
        self._verdict = None
        if self._flight is not None:
            self._flight.land(None, is_hopeless=True)

    def _fits(self, size: int) -> bool:
        return size <= self._question.rule.most_bytes and self._shelf.holds(size)

    def _is_purged(self) -> bool:
        """Say whether all that was stored, or asked for to be stored, has been forgotten since this began."""
        return self._shelf.memory.purged() != self._purged

    def _keep(self, found: Verdict, body: bytes) -> None:
        assert found.entry is not None
        question = self._question
        if self._is_purged():
            return
        entry, variants = self._shelf.keep(replace(found.entry, body=body), found.vary, question.block, question.row)
        self._count(layout.ROW_CACHE_STORED)
        self._land(entry, variants)

    def _land(self, entry: Entry | None, variants: Variants | None = None) -> None:
        """Tell those who wait what has come; what is stored only to be confirmed is in vain for them."""
        if self._flight is not None:
            self._flight.land(entry, variants, entry is not None and not entry.is_fresh(monotonic()))

    def _count(self, counter: int) -> None:
        self._recorder.count_row(self._question.row, counter)


#: What watches a request that is forwarded.
Watch = Fetch | Passing


def _dated(lines: bytes) -> bytes:
    """Return a head with the time at which it came, if it does not say when it was made (RFC 9110 section 6.6.1)."""
    return lines if _DATE.search(lines) else lines + b"Date: %b\r\n" % date(int(time()))
