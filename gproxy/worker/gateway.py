"""The story of an exchange, top to bottom: body, route, filters, dispatch, respond, record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gproxy.core.cors import find_preflighted
from gproxy.core.errors import BadRequest, GatewayError, MethodNotAllowed, NoConfiguration, NoRoute
from gproxy.core.reply import Reply
from gproxy.core.snapshot import Api, Snapshot
from gproxy.worker.forwarded import claimed_request_id
from gproxy.worker.link import ClientGone
from gproxy.worker.record import Recorder
from gproxy.worker.relay import ResponseBroken
from gproxy.worker.respond import problem, reply

if TYPE_CHECKING:
    from gproxy.worker.dispatch import Dispatcher
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.runtime import Runtime

log = logging.getLogger(__name__)


class Gateway:
    """Takes exchanges through the gateway, one after the other per connection; one per worker."""

    def __init__(self, runtime: Runtime, recorder: Recorder, dispatcher: Dispatcher) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._dispatch = dispatcher.dispatch

    def handle(self, exchange: Exchange) -> None:
        """Answer one request. Whatever happens it is recorded once; raises ClientGone when nobody listens."""
        self._recorder.begin()
        self.go_on(exchange, partial(self._forward, exchange))

    def go_on(self, exchange: Exchange, step: Callable[[], object]) -> None:
        """Do what is left to do until the request is answered: `step`."""
        try:
            step()
        except GatewayError as error:
            self._fail(exchange, error)
        except Reply as answer:
            self._reply(exchange, answer)
        except ClientGone as gone:
            if exchange.status and exchange.minor == b"0":  # it may have stopped only sending, and still read
                exchange.client.break_off()
            exchange.status, exchange.code, exchange.keeps_alive = 499, "client_gone", False
            exchange.reason = str(gone)
        except ResponseBroken as broken:
            self._break_off(exchange, str(broken))
        except Exception:
            log.exception("an exchange failed", extra={"request_id": exchange.request_id.decode("ascii")})
            self._answer(exchange, GatewayError("The gateway failed to handle this request.", "see the traceback"))
        finally:
            self._recorder.end(exchange)

    def _forward(self, exchange: Exchange) -> None:
        """Route the request and have it answered."""
        fields = exchange.fields
        if fields.claims:
            exchange.request_id = claimed_request_id(exchange) or exchange.request_id
        if fields.length:
            exchange.take_body(self._runtime.body_bytes)
        self.enter(exchange, _route(exchange, self._runtime.snapshot))

    def enter(self, exchange: Exchange, api: Api) -> None:
        """Have a request answered by the API that takes it, or by what stands before it."""
        self._recorder.enter(exchange, api)
        if api.total_s:
            exchange.deadline = exchange.started + api.total_s
        for before in api.before:
            before(exchange)
        self._dispatch(exchange, api)

    def refuse(self, exchange: Exchange, error: GatewayError) -> None:
        """Answer and record a request whose head could not be read."""
        self._recorder.begin()
        try:
            self._answer(exchange, error)
        finally:
            self._recorder.end(exchange)

    def _fail(self, exchange: Exchange, error: GatewayError) -> None:
        """Answer with the problem document, unless a filter of the API has a better answer."""
        api = exchange.api
        if api is not None and api.failed and not exchange.status:
            try:
                for failed in api.failed:
                    failed(exchange, error)
            except GatewayError as other:
                error = other
            except Reply as answer:
                exchange.failed(error)
                exchange.keeps_alive &= not error.closes
                self._reply(exchange, answer)
                return
        self._answer(exchange, error)

    def _answer(self, exchange: Exchange, error: GatewayError) -> None:
        """Send the problem document, or show a broken response when another one has begun already."""
        if exchange.status:
            self._break_off(exchange, error.reason or error.detail)
            return
        if error.closes:
            exchange.keeps_alive = False
        self._send(exchange, *problem(exchange, error))

    def _reply(self, exchange: Exchange, answer: Reply) -> None:
        self._send(exchange, *reply(exchange, answer))

    def _send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Send an answer of the gateway's own."""
        if self._runtime.draining or not exchange.is_body_read():
            exchange.keeps_alive = False
        try:
            exchange.respond(head, body)
        except ClientGone as gone:
            exchange.status, exchange.keeps_alive = 499, False
            if not exchange.code:  # else it is told why the client would have been answered so
                exchange.code, exchange.reason = "client_gone", str(gone)

    def _break_off(self, exchange: Exchange, reason: str) -> None:
        """End a response that cannot be completed so that no client takes it for complete."""
        exchange.code, exchange.reason, exchange.keeps_alive = "response_broken", reason, False
        if exchange.minor != b"1":  # there an answer without its end shows itself
            exchange.client.break_off()


def _route(exchange: Exchange, snapshot: Snapshot | None) -> Api:
    """Find the API that takes this request; raises NoRoute, MethodNotAllowed, BadRequest, NoConfiguration."""
    if snapshot is None:
        raise NoConfiguration("The gateway has no configuration yet.")
    target = exchange.target
    query = target.find(b"?")
    path = target if query < 0 else target[:query]
    host, router = exchange.fields.host, snapshot.router
    try:
        found = None
        if snapshot.answers_preflights and exchange.method == b"OPTIONS":
            found = find_preflighted(router, exchange, path)
        if found is None:
            found = router.find(host, exchange.method, path)
        if found is not None:
            exchange.values = found.values
            api: Api = found.target
            return api
        allowed = router.allowed(host, path)
    except ValueError as error:
        raise BadRequest(f"The request path is not acceptable: {error}.") from None
    if allowed:
        methods = b", ".join(sorted(allowed)).decode("ascii")
        raise MethodNotAllowed(f"This path allows {methods}.", headers=(("Allow", methods),))
    raise NoRoute("No API matches this request.")
