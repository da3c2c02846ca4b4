"""The short way of a whole: its parts are asked, and the last one that comes has the answer made of all.

As express.py for what one server answers, in callbacks of the loop. What turns out differently goes on in the story
where it stands: a refusal, a part whose failure is the answer, a whole that takes long to make or to send, an answer
that is not the usual one, a client that leaves. How each part is answered is not decided here (part_express.py).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gproxy.worker.express import fail_with

if TYPE_CHECKING:
    from gproxy.core.snapshot import Api
    from gproxy.worker.aggregate import Aggregator
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.gathering import Gathering
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime


class WholeExpress:
    """Has wholes answered the short way; one per worker."""

    def __init__(self, runtime: Runtime, recorder: Recorder, aggregator: Aggregator) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._aggregator = aggregator
        self._outbox = runtime.outbox

    def begin(self, exchange: Exchange, api: Api) -> None:
        """Ask the nodes of the first batch on behalf of a request that has come whole."""
        exchange.node = api.nodes[0]
        self._recorder.begin_in(exchange, api)
        try:
            if api.total_s:
                exchange.deadline = exchange.started + api.total_s
            for before in api.before:
                before(exchange)
            self._go_on(self._aggregator.gathering(exchange, api), api)
        except Exception as error:  # a refusal, or a fault of ours
            self.fail(exchange, error)

    def finish(self, gathering: Gathering) -> None:
        """Go on behind a batch that is over, or without a client that has gone."""
        exchange = gathering.exchange
        exchange.client.waits_for = None
        api = exchange.api
        assert api is not None
        try:
            if gathering.is_over and gathering.decisive() is None:
                self._go_on(gathering, api)
            else:
                self._hand_over(gathering, api)
        except Exception as error:  # a fault of ours
            self.fail(exchange, error)

    def _go_on(self, gathering: Gathering, api: Api) -> None:
        """Ask the nodes of the next batch, or answer when there is none."""
        if not self._aggregator.ask(gathering, api):
            self._answer(gathering, api)
        elif gathering.is_over:  # none of them could be asked
            self._hand_over(gathering, api)
        else:
            gathering.taker = self
            gathering.exchange.client.waits_for = gathering

    def _answer(self, gathering: Gathering, api: Api) -> None:
        """Send what the parts make together."""
        exchange = gathering.exchange
        is_last = self._runtime.draining or not exchange.keeps_alive
        if is_last or exchange.method == b"HEAD" or gathering.is_large():
            self._hand_over(gathering, api)
            return
        head, body = self._aggregator.whole(gathering, api)
        response = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
        exchange.sent = len(response)
        self._outbox.answer(exchange.client, exchange, response, self)

    def sent(self, exchange: Exchange, response: bytes, count: int, now_s: float) -> None:
        """Make an end, if the client has taken all of the answer."""
        client = exchange.client
        if count != exchange.sent:
            client.go_on(exchange, partial(client.send_rest, memoryview(response)[count:]))
            return
        self._recorder.end(exchange)
        client.answered(exchange, now_s)

    def fail(self, exchange: Exchange, error: Exception) -> None:
        """Let the story tell why there will be no whole."""
        exchange.client.go_on(exchange, partial(fail_with, error))

    def _hand_over(self, gathering: Gathering, api: Api) -> None:
        """Let the story go on with what has been asked."""
        gathering.exchange.client.go_on(gathering.exchange, partial(self._aggregator.go_on, gathering, api))
