"""What addresses do that only send clients to https."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.core.errors import BadRequest, GatewayError, HttpsRequired
from gproxy.worker.runtime import Desk

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.runtime import Runtime

#: how an authority checks who a host belongs to before it issues a certificate (RFC 8555 8.3): asked without TLS
_CHALLENGES = b"/.well-known/acme-challenge/"
_HTTPS_PORT = 443


def redirecting_desk(port: int, runtime: Runtime) -> Desk:
    """Return the desk that sends every request to https and `port`; challenges are routed as usual."""
    suffix = b"" if port == _HTTPS_PORT else b":%d" % port

    def handle(exchange: Exchange) -> None:
        if exchange.target.startswith(_CHALLENGES):
            runtime.handle(exchange)
        else:
            runtime.refuse(exchange, _refusal(exchange, suffix, runtime.body_bytes))

    return Desk(lambda client: False, handle)


def _refusal(exchange: Exchange, suffix: bytes, body_bytes: int) -> GatewayError:
    fields = exchange.fields
    if not fields.host:
        return BadRequest("The request has no Host field.")
    try:
        if fields.length:
            exchange.take_body(body_bytes)
    except GatewayError as error:
        return error
    target = exchange.target if exchange.target.startswith(b"/") else b"/"
    return HttpsRequired((b"https://" + fields.host + suffix + target).decode("latin-1"))
