from http import HTTPStatus

import pytest

from gproxy.core import errors
from gproxy.core.errors import GatewayError

FAMILY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)]


@pytest.mark.parametrize(
    ("kind", "status", "code", "closes"),
    [
        (errors.GatewayError, 500, "internal_error", False),
        (errors.BadRequest, 400, "bad_request", True),
        (errors.NoRoute, 404, "no_route", False),
        (errors.MethodNotAllowed, 405, "method_not_allowed", False),
        (errors.RequestTimeout, 408, "request_timeout", True),
        (errors.BodyTooLarge, 413, "body_too_large", True),
        (errors.TargetTooLong, 414, "target_too_long", True),
        (errors.ExpectationFailed, 417, "expectation_failed", True),
        (errors.HeadTooLarge, 431, "head_too_large", True),
        (errors.RateLimited, 429, "rate_limited", False),
        (errors.Full, 503, "overloaded", False),
        (errors.BadUpstream, 502, "bad_upstream", False),
        (errors.NoServer, 503, "no_server", False),
        (errors.NoConfiguration, 503, "no_configuration", False),
        (errors.Overloaded, 503, "overloaded", True),
        (errors.UpstreamTimeout, 504, "upstream_timeout", False),
    ],
)
def test_what_users_rely_on(kind: type[GatewayError], status: int, code: str, closes: bool) -> None:
    assert (kind.status, kind.code, kind.closes) == (status, code, closes)


@pytest.mark.parametrize("kind", FAMILY)
def test_every_status_has_a_standard_title(kind: type[GatewayError]) -> None:
    assert HTTPStatus(kind.status).phrase


def test_who_is_told_to_ask_again() -> None:
    told = {kind.code for kind in FAMILY if kind.retry_after_s}
    assert told == {"no_server", "no_configuration", "overloaded", "keys_unavailable"}


def test_codes_are_unique() -> None:
    named = [kind for kind in FAMILY if "code" in vars(kind)]
    assert len({kind.code for kind in named}) == len(named)


def test_a_rate_limited_client_is_told_when_to_come_back() -> None:
    error = errors.RateLimited(500, 3, "max_qps of server a", status=503)
    assert (error.status, error.retry_after_s) == (503, 3)
    assert error.headers == (("RateLimit-Limit", "500"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "3"))


def test_the_client_and_the_operator_are_told_different_things() -> None:
    error = errors.BadUpstream("Sorry.", "10.0.0.1 refused", headers=(("Retry-After", "1"),))
    assert str(error) == error.detail == "Sorry."
    assert error.reason == "10.0.0.1 refused"
    assert error.headers == (("Retry-After", "1"),)
    assert errors.NoRoute("Nothing here.").reason == ""
