"""The small family of expected failures: each knows its HTTP status and the `code` users can rely on.

They are raised wherever the failure is found and become a response in one place (`worker/respond.py`).
docs/errors.md explains every code to users.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from gproxy.core.limiter import Room


class GatewayError(Exception):
    """An expected failure that the client is told about as `application/problem+json` (RFC 9457).

    `detail` is one sentence for the client: never a backend's internals. `reason` is for the operator's log.
    `headers` are extra response fields, `extra` further members of the document. `refused_by` names the part of the
    configuration that had the request refused, where one had.
    """

    status: int = 500
    code: str = "internal_error"
    #: seconds after which it makes sense to ask again, 0 for unsaid (RFC 9110 10.2.3)
    retry_after_s: int = 0
    #: the client connection cannot carry another request after this failure
    closes: ClassVar[bool] = False
    refused_by: str = ""

    def __init__(self, detail: str, reason: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
        self.headers = headers
        self.extra: dict[str, object] = {}


class BadRequest(GatewayError):
    """The request is malformed or its framing is ambiguous (RFC 9112 2.2, 6.3): nothing after it can be trusted."""

    status, code, closes = 400, "bad_request", True


class AccessDenied(GatewayError):
    """The client's address may not use the API."""

    status, code, refused_by = 403, "access_denied", "access"


class Unauthorized(GatewayError):
    """The request has no credential, or none that is good; `headers` say what is wanted (RFC 9110 15.5.2)."""

    status, code, refused_by = 401, "unauthorized", "auth"


class Forbidden(GatewayError):
    """The credential is good, but does not allow this (RFC 9110 15.5.4)."""

    status, code, refused_by = 403, "forbidden", "auth"


class KeysUnavailable(GatewayError):
    """Nobody can say whether a token is good: the keys of its issuer could not be fetched yet."""

    status, code, retry_after_s, refused_by = 503, "keys_unavailable", 1, "auth"


class HttpsRequired(GatewayError):
    """The request came to an address that only sends clients to https (RFC 9110 15.4.9); `location` is where."""

    status, code = 308, "https_required"

    def __init__(self, location: str) -> None:
        super().__init__("This is served over https only.", headers=(("Location", location),))


class NoRoute(GatewayError):
    """No API matches the request."""

    status, code = 404, "no_route"


class MethodNotAllowed(GatewayError):
    """The path exists for other methods; `headers` carries Allow (RFC 9110 15.5.6)."""

    status, code = 405, "method_not_allowed"


class RequestTimeout(GatewayError):
    """The client took too long to send its head or its body (RFC 9110 15.5.9)."""

    status, code, closes = 408, "request_timeout", True


class BodyTooLarge(GatewayError):
    """The body is larger than the limit allows (RFC 9110 15.5.14)."""

    status, code, closes, refused_by = 413, "body_too_large", True, "limits"


class TargetTooLong(GatewayError):
    """The request target is longer than the limit allows (RFC 9110 15.5.15)."""

    status, code, closes, refused_by = 414, "target_too_long", True, "limits"


class ExpectationFailed(GatewayError):
    """Expect asks for something other than 100-continue (RFC 9110 15.5.18)."""

    status, code, closes = 417, "expectation_failed", True


class RateLimited(GatewayError):
    """More requests came than a limit lets through (RFC 6585 4); an API may choose another status.

    The fields are those of draft-ietf-httpapi-ratelimit-headers-06.
    """

    status, code = 429, "rate_limited"

    def __init__(self, rate: int, wait_s: int, reason: str, status: int = 429, refused_by: str = "rate_limit") -> None:
        figures = (("RateLimit-Limit", rate), ("RateLimit-Remaining", 0), ("RateLimit-Reset", wait_s))
        headers = tuple((name, str(figure)) for name, figure in figures)
        super().__init__("There were too many requests.", reason, headers)
        self.status = status
        self.retry_after_s = wait_s
        self.refused_by = refused_by


class HeadTooLarge(GatewayError):
    """The head is larger, or has more fields, than the limits allow (RFC 6585 5)."""

    status, code, closes, refused_by = 431, "head_too_large", True, "limits"


class Stage(IntEnum):
    """How far a request came before its server failed: whether it may be sent again depends on it."""

    UNSENT = 0  # no server has seen a byte of it
    SENT = 1  # it may have been carried out; of an answer no byte came
    ANSWERED = 2


class UpstreamError(GatewayError):
    """A server failed. `stage` may be set on an instance when it is another one than usual."""

    stage: Stage = Stage.ANSWERED


class BadUpstream(UpstreamError):
    """The server refused the connection or its answer is not valid HTTP."""

    status, code = 502, "bad_upstream"


class NoServer(GatewayError):
    """The cluster has no server that may be used."""

    status, code, retry_after_s, refused_by = 503, "no_server", 1, "servers"


class CircuitOpen(GatewayError):
    """The circuit breakers of the API, or of all its servers, are open."""

    status, code, refused_by = 503, "circuit_open", "circuit_breaker"

    def __init__(self, detail: str, reason: str, retry_after_s: int) -> None:
        super().__init__(detail, reason)
        self.retry_after_s = retry_after_s


class NoConfiguration(GatewayError):
    """No snapshot has been loaded yet, so nobody can say whether the route exists."""

    status, code, retry_after_s = 503, "no_configuration", 1


class Overloaded(GatewayError):
    """A limit on connections or concurrency is reached."""

    status, code, closes, retry_after_s, refused_by = 503, "overloaded", True, 1, "limits"


class Full(Overloaded):
    """A server or an API (its row) has as many requests in flight as its `room` allows."""

    closes = False

    def __init__(self, row: int, room: Room, reason: str, refused_by: str) -> None:
        super().__init__("Too many requests are in progress.", reason)
        self.refused_by = refused_by
        self.row = row
        self.room = room


class NotStored(GatewayError):
    """The client wants a stored answer or none, and there is none (RFC 9111 section 5.2.1.7)."""

    status, code = 504, "not_stored"


class UpstreamTimeout(UpstreamError):
    """A connect, response or total deadline has passed."""

    status, code = 504, "upstream_timeout"
    stage = Stage.SENT
