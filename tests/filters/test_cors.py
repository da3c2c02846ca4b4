from typing import Any

import pytest

from gproxy.core.errors import NoServer
from gproxy.core.reply import Reply
from gproxy.filters.cors import CorsFilter
from tests.core.asked import Asked

CORS = {"methods": [], "headers": ["*"], "expose": [], "credentials": False, "max_age_s": 0}
GET = Asked(fields={b"origin": b"https://a.example"})
PREFLIGHT = Asked(method=b"OPTIONS", fields={**GET.fields, b"access-control-request-method": b"GET"})


def made() -> Any:
    return CorsFilter.for_api({"cors": {**CORS, "origins": ["https://a.example"]}, "methods": ["GET"]})


def test_an_api_without_a_rule_has_no_filter() -> None:
    assert CorsFilter.for_api({"cors": None, "methods": []}) is None


def test_preflights_are_answered() -> None:
    with pytest.raises(Reply) as caught:
        made().preflight(PREFLIGHT)
    assert (caught.value.status, caught.value.body) == (204, b"")
    assert b"Access-Control-Allow-Methods: GET\r\n" in caught.value.lines


def test_what_a_server_says_of_other_origins_is_replaced() -> None:
    head = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-max-age: 5\r\nX-A: 1\r\n"
    marked = made().after(GET, head)
    assert marked == (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nAccess-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\n"
    )
    assert made().after(PREFLIGHT, head) == head


def test_errors_are_marked() -> None:
    error = NoServer("None.", headers=(("X-A", "1"),))
    made().failed(GET, error)
    assert error.headers == (
        ("X-A", "1"),
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("Vary", "Origin"),
    )
