"""Has the nodes of an API answered, the batches in order, and makes one answer of their parts.

While its parts are on their way, the story of the whole is parked, or has not begun yet (whole_express.py). The first
failure that decides the whole ends the other parts, and a client that leaves ends them all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from gproxy.core.errors import BadUpstream, GatewayError
from gproxy.core.http1 import parse_response_head
from gproxy.core.json_check import no_rest
from gproxy.core.part_head import merged, most_s
from gproxy.worker.gathering import Gathering
from gproxy.worker.link import hub
from gproxy.worker.node_part import NodePart, turns
from gproxy.worker.respond import answer_head
from gproxy.worker.tap import open_taps

if TYPE_CHECKING:
    from gproxy.core.json_check import Rest
    from gproxy.core.snapshot import Api
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.part_express import PartExpress
    from gproxy.worker.runtime import Runtime

_LENGTH: Final = re.compile(rb"^content-length:[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_HEAD: Final = b"Content-Type: application/json\r\nX-Gateway-Completed: %b\r\n"
_HEADS: Final = {is_complete: _HEAD % said for is_complete, said in ((True, b"true"), (False, b"false"))}


class Aggregator:
    """Answers for the APIs whose nodes make one answer together; one per worker."""

    def __init__(self, runtime: Runtime, express: PartExpress) -> None:
        self._runtime = runtime
        self._express = express

    def answer(self, exchange: Exchange, api: Api) -> None:
        """Have the parts answered and respond; raises the GatewayError of a part whose failure fails the whole.

        Raises also what the body of the request may (BodyTooLarge, RequestTimeout), and ClientGone.
        """
        gathering = self.gathering(exchange, api)
        self.ask(gathering, api)
        self.go_on(gathering, api)

    def gathering(self, exchange: Exchange, api: Api) -> Gathering:
        """Return what takes the parts of a request, whose body is read; raises what that may."""
        assert api.merge is not None
        exchange.whole_body()
        gathering = Gathering(exchange, api.merge)
        exchange.parts = gathering.parts
        return gathering

    def ask(self, gathering: Gathering, api: Api) -> bool:
        """Ask the nodes of the next batch; False when there is none."""
        batch, parts, exchange = gathering.next_batch(), gathering.parts, gathering.exchange
        if not batch:
            return False
        lines, own = _lines(exchange)
        earlier = {part.rule.name: part for part in parts.values()}
        forwards: dict[bytes | None, bytes] = {}
        for index in batch:
            parts[index] = part = NodePart(exchange, api, index, earlier)
            part.prepare(lines, own, forwards)
        begin = self._express.begin
        steps = [step for part in gathering.begin() if (step := begin(part)) is not None]
        if steps:
            hub.loop.run_callback(self._start, steps)
        return True

    def go_on(self, gathering: Gathering, api: Api) -> None:
        """Wait for what has been asked, and do what is left to do; raises what `answer` does."""
        while True:
            try:
                gathering.wait()
            finally:
                gathering.leave()
            decisive = gathering.decisive()
            if decisive is not None:
                self._pass_on(gathering.exchange, api, decisive, gathering.told())
                return
            if not self.ask(gathering, api):
                break
        rest = turns(self._runtime) if gathering.is_large() else no_rest
        self._finish(gathering.exchange, api, *self.whole(gathering, api, rest))

    def _start(self, steps: Iterable[Callable[[], None]]) -> None:
        for step in steps:
            self._runtime.start(step)

    def whole(self, gathering: Gathering, api: Api, rest: Rest = no_rest) -> tuple[bytes, bytes]:
        """Return head and body of what the parts make together."""
        assert api.merge is not None
        exchange = gathering.exchange
        parts = gathering.in_order()
        seen, texts = [part.seen for part in parts], [part.text for part in parts]
        has_all = gathering.has_all()
        is_complete = has_all or gathering.is_complete()
        lines = _HEADS[is_complete] + merged(seen, is_complete)
        if not has_all:
            lines += b"X-Gateway-Parts: %b\r\n" % gathering.told().encode("ascii")
        body = api.merge.document(texts, rest)
        rest()
        head = answer_head(exchange, 200, lines)
        if api.cache is not None:
            head += exchange.fetch.whole(lines, body, has_all, most_s(seen))
        return head, body

    def _pass_on(self, exchange: Exchange, api: Api, part: NodePart, told: str) -> None:
        """Answer with the failure of a part: the server's own answer as it came, else raise what went wrong."""
        if part.failure is not None:
            raise _explained(part, told)
        if api.cache is not None and exchange.fetch.stands_in_for(part.status):
            raise BadUpstream("A server has failed.", f"part {part.rule.name}: status {part.status}")
        head = _LENGTH.sub(b"", part.lines)
        head += b"X-Gateway-Completed: false\r\nX-Gateway-Parts: %b\r\n" % told.encode("ascii")
        for after in api.after:
            head = after(exchange, head)
        exchange.status = part.status
        self._finish(exchange, api, head, part.data)

    def _finish(self, exchange: Exchange, api: Api, head: bytes, body: bytes) -> None:
        """Send the answer, while those listen in who want to."""
        if self._runtime.draining:
            exchange.keeps_alive = False
        if not api.taps:
            exchange.respond(head, body)
            return
        parsed = parse_response_head(b"%bContent-Length: %d\r\n" % (head, len(body)), sys.maxsize)
        taps = open_taps(exchange, parsed, api.taps)
        try:
            exchange.respond(head, body)
        except BaseException:
            taps.abandon()
            raise
        taps.feed(b"" if exchange.method == b"HEAD" else body)
        taps.end()


def _lines(exchange: Exchange) -> tuple[bytes, bytes]:
    """Return the field lines for servers: the client's, which may be known already, and the gateway's own."""
    lines = exchange.outgoing()
    if exchange.forward is not None:  # edited: nobody can tell any more which are whose
        return lines, b""
    ours = len(exchange.fields.forward)
    return exchange.fields.forward, lines[ours:]


def _explained(part: NodePart, told: str) -> GatewayError:
    """Return the failure of a part as that of the whole; the part lets go of it, or the two would make a cycle."""
    error, part.failure = part.failure, None
    assert error is not None
    error.headers = (*error.headers, ("X-Gateway-Completed", "false"), ("X-Gateway-Parts", told))
    error.extra["part"] = part.rule.name
    error.reason = f"part {part.rule.name}: {error.reason or error.detail}"
    return error
