"""What the short way sends leaves together, behind all that a turn of the loop has brought.

A send to a peer that sleeps wakes it, which costs as much as the send itself. With other work between one send and the
next, a fast peer has gone back to sleep each time; right behind each other they find it awake. For a small GET that is
3 of 23 us, and it is nothing that anybody waits for: with one request in a turn it leaves as soon as it would.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from gproxy.worker.link import LinkBroken, hub

if TYPE_CHECKING:
    from gproxy.worker.connection import Client
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.upstream import Upstream

log = logging.getLogger(__name__)


class Answerer(Protocol):
    """Who has answers sent."""

    def sent(self, exchange: Exchange, response: bytes, count: int, now_s: float) -> None:
        """The client has taken `count` bytes of the answer."""
        ...

    def fail(self, exchange: Exchange, error: Exception) -> None:
        """The client has gone."""
        ...


class Outbox:
    """The requests and answers of one worker that leave at the end of the turn."""

    def __init__(self) -> None:
        self._requests: list[tuple[Upstream, Any, bytes]] = []
        self._answers: list[tuple[Client, Exchange, bytes, Answerer]] = []
        self._is_due = False

    def ask(self, upstream: Upstream, exchange: Any, request: bytes) -> None:
        """Send a request whose answer `exchange` waits for, if it still does then; its taker hears what goes wrong."""
        self._requests.append((upstream, exchange, request))
        if not self._is_due:
            self._is_due = True
            hub.loop.run_callback(self._flush)

    def answer(self, client: Client, exchange: Exchange, response: bytes, by: Answerer) -> None:
        """Send an answer, and tell `by` what became of that. Until then, nothing else may be sent to the client."""
        self._answers.append((client, exchange, response, by))
        if not self._is_due:
            self._is_due = True
            hub.loop.run_callback(self._flush)

    def _flush(self) -> None:
        requests, answers = self._requests, self._answers
        self._requests, self._answers, self._is_due = [], [], False
        stuck: list[tuple[Upstream, Any, bytes, int | LinkBroken]] = []
        taken: list[int | LinkBroken] = []
        for upstream, exchange, request in requests:
            if upstream.waiting is exchange:
                try:
                    sent = upstream.send_some(request)
                except LinkBroken as error:
                    stuck.append((upstream, exchange, request, error))
                else:
                    if sent != len(request):
                        stuck.append((upstream, exchange, request, sent))
        for client, _, response, _ in answers:
            try:
                taken.append(client.send_some(response))
            except LinkBroken as error:
                taken.append(error)
        now_s = monotonic()
        for upstream, exchange, request, outcome in stuck:
            if upstream.waiting is exchange:
                try:
                    _go_on(upstream, exchange, request, outcome)
                except Exception:  # a fault of ours: the others have nothing to do with it
                    log.exception("a request has not gone on as it should")
        for (_, exchange, response, by), outcome in zip(answers, taken, strict=True):
            try:
                if isinstance(outcome, int):
                    by.sent(exchange, response, outcome, now_s)
                else:
                    by.fail(exchange, outcome)
            except Exception:  # the same
                log.exception("an answer has not ended as it should")


def _go_on(upstream: Upstream, exchange: Any, request: bytes, outcome: int | LinkBroken) -> None:
    """Have a request looked after that has not left as a whole."""
    upstream.waiting = None
    if isinstance(outcome, int):
        upstream.taker.send_on(exchange, upstream, memoryview(request)[outcome:])
    else:
        upstream.taker.fail(exchange, outcome)
