"""The gateway's own answers: expected failures as problem documents (RFC 9457), made in this one place."""

from __future__ import annotations

import json
from http import HTTPStatus
from time import gmtime, strftime, time
from typing import TYPE_CHECKING

from gproxy.core.errors import GatewayError

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange


def problem(exchange: Exchange, error: GatewayError) -> bytes:
    """Return the whole response for `error`; sets the exchange's status and code."""
    status = HTTPStatus(error.status)
    exchange.status = status.value
    exchange.code = error.code
    exchange.reason = error.reason or error.detail
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": error.detail,
        "code": error.code,
        "request_id": exchange.request_id.decode("ascii"),
    }
    body = json.dumps(document).encode("ascii")
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Date: {strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time()))}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {document['request_id']}",
        *(f"{name}: {value}" for name, value in error.headers),
    ]
    if error.retry_after_s:
        lines.append(f"Retry-After: {error.retry_after_s}")
    if not exchange.keeps_alive:
        lines.append("Connection: close")
    elif exchange.minor == b"0":
        lines.append("Connection: keep-alive")
    head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    return head if exchange.method == b"HEAD" else head + body
