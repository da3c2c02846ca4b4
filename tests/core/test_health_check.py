from typing import Any

import pytest

from gproxy.core.health import Pace
from gproxy.core.health_check import Check, Fault, HttpQuestion, body_test, compile_check
from gproxy.core.model import normalised
from gproxy.core.model.protection import HealthCheck

HOST = b"Host: 10.0.0.1:80\r\n"


def compiled(**fields: Any) -> Check | None:
    return compile_check(normalised(HealthCheck.model_validate(fields)), HOST)


def question(**fields: Any) -> HttpQuestion:
    check = compiled(**fields)
    assert check is not None
    assert check.http is not None
    return check.http


def test_nothing_is_asked_without_a_check_or_with_one_that_is_off() -> None:
    assert compile_check(None, HOST) is None
    assert compiled(type="off") is None


def test_tcp_has_a_pace_only() -> None:
    assert compiled(type="tcp", interval_s=1, timeout_s=2, rise=4, fall=5) == Check(Pace(1, 2, 4, 5), None)


def test_the_request() -> None:
    assert question(path="/up?a=1").request == (
        b"GET /up?a=1 HTTP/1.1\r\nHost: 10.0.0.1:80\r\nUser-Agent: gproxy-health-check\r\nConnection: close\r\n\r\n"
    )
    assert question(method="POST", headers={"X-A": "\u00e9", "host": "a.b", "User-Agent": "me"}).request == (
        b"POST / HTTP/1.1\r\nUser-Agent: me\r\nX-A: \xc3\xa9\r\nhost: a.b\r\n"
        b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    assert [question(method=method).is_head for method in ("HEAD", "GET")] == [True, False]


@pytest.mark.parametrize(
    ("fields", "status", "body", "fault"),
    [
        ({}, 200, b"", ""),
        ({}, 204, b"", "status 204, expected 200"),
        ({"expect_status": "200-299,301"}, 301, b"", ""),
        ({"expect_status": "200-299,301"}, 302, b"", "status 302, expected 200-299,301"),
        ({"expect_body": "OK"}, 200, b"all OK here", ""),
        ({"expect_body": "OK"}, 200, b"ok", "the body does not match 'OK'"),
        ({"expect_body": "OK"}, 500, b"OK", "status 500, expected 200"),
        ({"expect_body": "~^(ok|fine)$"}, 200, b"fine", ""),
        ({"expect_body": "~^(ok|fine)$"}, 200, b"not fine", "the body does not match '~^(ok|fine)$'"),
        ({"expect_body": "caf\u00e9"}, 200, "un caf\u00e9".encode(), ""),
        ({"expect_body": "~."}, 200, b"\xff", "the body does not match '~.'"),
    ],
)
def test_which_answer_counts(fields: dict[str, Any], status: int, body: bytes, fault: str) -> None:
    kind = Fault.STATUS if fault.startswith("status") else Fault.BODY
    assert question(**fields).fault(status, body) == ((kind, fault) if fault else None)


def test_an_expression_that_would_take_for_ever_elsewhere() -> None:
    is_right = body_test("~^(a+)+$")
    assert is_right is not None
    assert not is_right(b"a" * 60_000 + b"b")


@pytest.mark.parametrize("expected", ["~(", "~(?=a)", "~" + "(a{1000}){1000}"])
def test_an_expression_that_is_none(expected: str) -> None:
    with pytest.raises(ValueError, match="not a regular expression of RE2"):
        body_test(expected)
