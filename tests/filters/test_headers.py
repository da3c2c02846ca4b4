from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gproxy.filters.headers import HeaderFilter

LINES = b"Host: a\r\nX-Forwarded-For: 1.1.1.1\r\n"
NONE: Mapping[str, Any] = {"set": {}, "add": {}, "remove": []}


@dataclass
class Exchange:
    method: bytes = b"GET"
    target: bytes = b"/"
    forward: bytes | None = None

    def outgoing(self) -> bytes:
        return LINES if self.forward is None else self.forward

    def field(self, name: bytes) -> bytes:
        return b""


def made(request: Mapping[str, Any] = NONE, response: Mapping[str, Any] = NONE) -> HeaderFilter | None:
    return HeaderFilter.for_api({"request_headers": NONE | request, "response_headers": NONE | response})  # type: ignore[operator]


def test_an_api_without_edits_has_no_filter() -> None:
    assert made() is None


def test_requests_are_edited_with_what_the_gateway_adds() -> None:
    edits = made(request={"remove": ["X-Forwarded-For"], "set": {"X-Tier": "1"}})
    assert edits is not None
    exchange = Exchange()
    edits.before(exchange)
    assert exchange.forward == b"Host: a\r\nX-Tier: 1\r\n"
    assert edits.after(exchange, b"HTTP/1.1 200 OK\r\n") == b"HTTP/1.1 200 OK\r\n"


def test_a_second_filter_sees_what_the_first_one_left() -> None:
    first, second = made(request={"add": {"X-A": "1"}}), made(request={"add": {"X-B": "2"}})
    assert first is not None
    assert second is not None
    exchange = Exchange()
    first.before(exchange)
    second.before(exchange)
    assert exchange.forward == LINES + b"X-A: 1\r\nX-B: 2\r\n"


def test_responses_are_edited() -> None:
    edits = made(response={"remove": ["server"], "add": {"X-Via": "gproxy"}})
    assert edits is not None
    exchange = Exchange()
    edits.before(exchange)
    assert exchange.forward is None
    assert edits.after(exchange, b"HTTP/1.1 200 OK\r\nServer: x\r\n") == b"HTTP/1.1 200 OK\r\nX-Via: gproxy\r\n"


def test_values_with_variables_are_made_for_each_request() -> None:
    edits = made(request={"set": {"X-Method": "{method}"}}, response={"add": {"X-Path": "{path}"}})
    assert edits is not None
    exchange = Exchange()
    edits.before(exchange)  # type: ignore[arg-type]
    assert exchange.forward == LINES + b"X-Method: GET\r\n"
    assert edits.after(exchange, b"HTTP/1.1 200 OK\r\n") == b"HTTP/1.1 200 OK\r\nX-Path: /\r\n"  # type: ignore[arg-type]
