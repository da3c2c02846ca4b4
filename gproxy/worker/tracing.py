"""Traces: who has asked is read from each request, each server is told its parent, and spans go to the monitor.

Imported only where `[tracing]` is on. A request is sampled as its parent was, one without a parent by chance. Spans
are made when a request, or a part of one, is over; they wait for the monitor within bounds, and what is more is dropped
and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from random import getrandbits, random
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from gproxy.core.span import Span, pack
from gproxy.core.trace_context import FIELDS, lines, read_parent, read_state
from gproxy.shared.span_queue import MOST_BYTES, SpanSender
from gproxy.worker.access_line import end_of
from gproxy.worker.attempt import request_for
from gproxy.worker.link import hub
from gproxy.worker.phases import phases_so_far

if TYPE_CHECKING:
    from gproxy.core.backends import Server
    from gproxy.core.node import Node
    from gproxy.settings import TracingSection
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.part import Part

#: Spans are sent together: after so long, so many at a time; and so many may wait.
_FLUSH_S, _PER_MESSAGE, _MOST_WAITING = 0.05, 64, 4096
#: What of a client's text goes into a span.
_TEXT_BYTES: Final = 512


class Now(NamedTuple):
    """A moment in monotonic seconds, and when their zero was, in ns since 1970: one for all spans of an exchange."""

    s: float
    zero_ns: int

    @classmethod
    def read(cls) -> Now:
        """Return now."""
        now_s = monotonic()
        return cls(now_s, time_ns() - int(now_s * 1e9))


class Trace:
    """The place of one exchange in its trace: `span_id` is its own span, `call_id` that of the attempt under way."""

    __slots__ = ("call_id", "is_sampled", "parent_id", "span_id", "state", "trace_id")

    def __init__(self, trace_id: bytes, parent_id: bytes, span_id: bytes, is_sampled: bool, state: bytes) -> None:
        self.trace_id = trace_id
        self.parent_id = parent_id
        self.span_id = span_id
        self.is_sampled = is_sampled
        self.state = state
        self.call_id = b""

    def for_part(self) -> Trace:
        """Return the place of a request that the gateway makes on behalf of this one."""
        return Trace(self.trace_id, self.parent_id, self.span_id, self.is_sampled, self.state)


class Tracer:
    """Traces for one worker. `dropped` is called with the number of spans that were lost."""

    def __init__(self, section: TracingSection, run_dir: Path, dropped: Callable[[int], None]) -> None:
        self._chance = section.sample_percent / 100
        self._follow = section.follow
        self._dropped = dropped
        self._queue = SpanSender(run_dir)
        self._waiting: deque[Span] = deque()
        self._timer = hub.loop.timer(_FLUSH_S)

    def close(self) -> None:
        """Send what waits, if it is taken, and stop."""
        self._flush()
        self._timer.stop()
        self._timer.close()
        self._queue.close()

    def of(self, exchange: Exchange) -> Trace:
        """Return the place of an exchange in its trace, which begins here unless somebody has begun it."""
        try:
            return exchange.trace
        except AttributeError:
            exchange.trace = made = self._begin(exchange)
            return made

    def request_for(self, exchange: Exchange, node: Node, server: Server) -> bytes:
        """Return the head for the server, which is told its parent, and of the body what is at hand."""
        trace = self.of(exchange)
        trace.call_id = _span_id()
        told = lines(trace.trace_id, trace.call_id, trace.is_sampled, trace.state)
        return request_for(exchange, node, server, FIELDS.sub(b"", exchange.outgoing()) + told)

    def end(self, exchange: Exchange) -> None:
        """Make the spans of an exchange that is over, and of its attempts."""
        trace = self.of(exchange)
        if trace.is_sampled:
            now = Now.read()
            self._add(_server_span(exchange, trace, now))
            for span in _attempts(exchange, trace, now):
                self._add(span)

    def part_over(self, part: Part) -> None:
        """Make the spans of the attempts of a part that is over."""
        trace = self.of(part)
        if trace.is_sampled:
            for span in _attempts(part, trace, Now.read()):
                self._add(span)

    def _begin(self, exchange: Exchange) -> Trace:
        is_heard = self._follow == "all" or (self._follow == "trusted" and exchange.client.origin.is_trusted)
        if is_heard and b"traceparent" in exchange.fields.forward.lower():
            parent = read_parent(exchange.values_of(b"traceparent"))
            if parent is not None:
                state = read_state(exchange.values_of(b"tracestate"))
                return Trace(parent.trace_id, parent.span_id, _span_id(), parent.is_sampled, state)
        return Trace(b"%032x" % (getrandbits(128) or 1), b"", _span_id(), random() < self._chance, b"")

    def _add(self, span: Span) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped(1)
            return
        if not self._waiting:
            self._timer.start(self._flush)
        self._waiting.append(span)

    def _flush(self) -> None:
        waiting = self._waiting
        while waiting:
            spans = [waiting.popleft() for _ in range(min(len(waiting), _PER_MESSAGE))]
            message = pack(spans)
            while len(message) > MOST_BYTES and len(spans) > 1:  # with long texts: nobody would ever take it
                waiting.extendleft(reversed(spans[len(spans) // 2 :]))
                del spans[len(spans) // 2 :]
                message = pack(spans)
            if not self._queue.send(message):
                waiting.extendleft(reversed(spans))
                self._timer.start(self._flush)
                return


def _span_id() -> bytes:
    return b"%016x" % (getrandbits(64) or 1)


def _server_span(exchange: Exchange, trace: Trace, now: Now) -> Span:
    """Return the span of a request, in the words of the semantic conventions for HTTP servers."""
    api, fields = exchange.api, exchange.fields
    attributes: dict[str, str | int] = {
        "http.request.method": _text(exchange.method),
        "url.path": _text(exchange.target.partition(b"?")[0]),
        "url.scheme": _text(exchange.client.origin.scheme),
        "server.address": _text(fields.host),
        "client.address": _text(exchange.client_ip()),
        "network.protocol.version": _text(exchange.protocol()[5:]),
        "user_agent.original": _text(exchange.field(b"user-agent") or b""),
        "http.response.status_code": exchange.status,
        "gproxy.request_id": _text(exchange.request_id),
        "gproxy.end": end_of(exchange, phases_so_far(exchange)),
    }
    name = attributes["http.request.method"]
    if api is not None:
        attributes["gproxy.api"] = api.name
        attributes["http.route"] = route = api.path.text
        name = f"{name} {route}"
    failed = exchange.code if exchange.code or exchange.status < 500 else str(exchange.status)
    if failed:
        attributes["error.type"] = failed
    error = failed if exchange.status >= 500 or exchange.code == "response_broken" else ""
    ids, times = (trace.span_id, trace.parent_id), (exchange.started, now.s)
    return _span(trace, ids, str(name), True, times, now.zero_ns, error, attributes)


def _attempts(exchange: Exchange, trace: Trace, now: Now) -> Iterator[Span]:
    """Yield the spans of the attempts at an exchange, in the words of the semantic conventions for HTTP clients."""
    phases = phases_so_far(exchange)
    for count, one in enumerate(phases.earlier):
        failed = one.code or (str(one.status) if one.status >= 400 else "")
        attributes = _of_attempt(exchange, one.server, one.status, failed, count)
        yield _call(exchange, trace, one.span_id, (one.began, one.ended), now, failed, attributes)
    if exchange.server is not None:
        began = max(exchange.attempted, phases.ready)
        status = 0 if exchange.code and not exchange.answered else exchange.status
        failed = exchange.code or (str(status) if status >= 400 else "")
        attributes = _of_attempt(exchange, exchange.server, status, failed, len(phases.earlier))
        yield _call(exchange, trace, trace.call_id, (began, now.s), now, failed, attributes)


def _of_attempt(exchange: Exchange, server: Server, status: int, failed: str, resends: int) -> dict[str, str | int]:
    endpoint = server.endpoint
    attributes: dict[str, str | int] = {"http.request.method": _text(exchange.method), "gproxy.server": server.name}
    attributes["server.address"] = endpoint.host or endpoint.path
    if endpoint.port:
        attributes["server.port"] = endpoint.port
    if status:
        attributes["http.response.status_code"] = status
    if resends:
        attributes["http.request.resend_count"] = resends
    if failed:
        attributes["error.type"] = failed
    return attributes


def _call(
    exchange: Exchange,
    trace: Trace,
    call_id: bytes,
    times: tuple[float, float],
    now: Now,
    failed: str,
    attributes: dict[str, str | int],
) -> Span:
    """Return the span of an attempt; one whose server was told no id gets one now."""
    ids = (call_id or _span_id(), trace.span_id)
    return _span(trace, ids, _text(exchange.method), False, times, now.zero_ns, failed, attributes)


def _span(
    trace: Trace,
    ids: tuple[bytes, bytes],
    name: str,
    is_server: bool,
    times: tuple[float, float],
    zero_ns: int,
    error: str,
    attributes: dict[str, str | int],
) -> Span:
    """Return a span; `ids` are its own and its parent's, `times` when it began and ended in monotonic seconds."""
    start_ns, end_ns = (zero_ns + int(moment * 1e9) for moment in times)
    span_id, parent_id = ids
    in_trace = (trace.trace_id.decode(), span_id.decode(), parent_id.decode(), trace.state.decode())
    return Span(*in_trace, name, is_server, start_ns, end_ns, error, attributes)


def _text(value: bytes) -> str:
    return value[:_TEXT_BYTES].decode("latin-1")
