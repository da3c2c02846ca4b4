"""The gateway's own answers: expected failures as problem documents (RFC 9457), and replies, made in this one place."""

from __future__ import annotations

import json
from functools import lru_cache
from http import HTTPStatus
from time import gmtime, strftime, time
from typing import TYPE_CHECKING

from gproxy.core.errors import GatewayError
from gproxy.core.reply import Reply

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange


def problem(exchange: Exchange, error: GatewayError) -> tuple[bytes, bytes]:
    """Return head and body of the response for `error`; sets the exchange's status and code."""
    status = HTTPStatus(error.status)
    exchange.status = status.value
    exchange.failed(error)
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": error.detail,
        "code": error.code,
        "request_id": exchange.request_id.decode("ascii"),
        **error.extra,
    }
    lines = [b"Content-Type: application/problem+json"]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in error.headers]
    if error.retry_after_s:
        lines.append(b"Retry-After: %d" % error.retry_after_s)
    head = _status_line(status.value) + _own_fields(exchange) + b"\r\n".join(lines) + b"\r\n"
    return head, json.dumps(document).encode("ascii")


def reply(exchange: Exchange, answer: Reply) -> tuple[bytes, bytes]:
    """Return head and body of a reply, as the filters of its API edit it; sets the exchange's status."""
    return answer_head(exchange, answer.status, answer.lines), answer.body


def answer_head(exchange: Exchange, status: int, lines: bytes) -> bytes:
    """Return the head of an answer with these field lines, as the filters of its API edit it; sets the status."""
    head = _status_line(status) + _own_fields(exchange) + lines
    if exchange.api is not None:
        for after in exchange.api.after:
            head = after(exchange, head)
    exchange.status = status
    return head


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    """Return the status line of a response; an unregistered status has no reason phrase."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode("ascii"))


def _own_fields(exchange: Exchange) -> bytes:
    return b"Date: %b\r\nX-Request-Id: %b\r\n" % (date(int(time())), exchange.request_id)


@lru_cache(maxsize=1)
def date(second: int) -> bytes:
    """Return a time as HTTP writes it; many answers are of the same second."""
    return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(second)).encode("ascii")
