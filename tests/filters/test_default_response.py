from typing import Any

import pytest

from gproxy.core.errors import (
    BadRequest,
    BadUpstream,
    CircuitOpen,
    GatewayError,
    NoServer,
    RateLimited,
    UpstreamTimeout,
)
from gproxy.core.reply import Reply
from gproxy.filters.default_response import DefaultResponseFilter, compiled


def answer(body: Any = "", status: int = 200, **headers: str) -> tuple[int, bytes, bytes]:
    return compiled({"status": status, "headers": headers, "body": body})


def test_an_api_without_one_has_no_filter() -> None:
    assert DefaultResponseFilter.for_api({"default_response": None}) is None


def test_text_is_sent_as_it_is_and_the_rest_as_json() -> None:
    assert answer("grüß") == (200, b"Content-Type: text/plain; charset=utf-8\r\n", "grüß".encode())
    assert answer([1, {"a": None}]) == (200, b"Content-Type: application/json\r\n", b'[1, {"a": null}]')
    assert answer("<p>", **{"content-type": "text/html"}) == (200, b"content-type: text/html\r\n", b"<p>")
    assert answer("", 204, X="1") == (204, b"X: 1\r\n", b"")


@pytest.mark.parametrize(
    ("error", "is_replaced"),
    [
        (BadUpstream("x"), True),
        (UpstreamTimeout("x"), True),
        (NoServer("x"), True),
        (CircuitOpen("x", "y", 1), True),
        (BadRequest("x"), False),
        (GatewayError("x"), False),
        (RateLimited(1, 1, "x"), False),
        (RateLimited(1, 1, "x", 503), False),
    ],
)
def test_what_is_replaced(error: GatewayError, is_replaced: bool) -> None:
    made: Any = DefaultResponseFilter.for_api({"default_response": {"status": 203, "headers": {}, "body": "x"}})
    if not is_replaced:
        made.failed(None, error)
        return
    with pytest.raises(Reply) as caught:
        made.failed(None, error)
    assert (caught.value.status, caught.value.body) == (203, b"x")
