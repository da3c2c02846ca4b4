"""Errors as problem documents (RFC 9457), with a `code` that programs can rely on."""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException, NotFound

from gadmin.accounts.accounts import AccountError
from gadmin.accounts.passwords import Busy
from gadmin.configuration.editor import InUse, NoSuchObject
from gadmin.fleet.fleet import UnknownNode
from gproxy.core.problem import Problem
from gproxy.ctl.node import NodeError
from gproxy.store.base import Conflict, StoreError, UnknownRevision
from gproxy.store.draining import NoSuchNode
from gproxy.store.edit import Rejected

log = logging.getLogger(__name__)

PREFIX: Final = "/api/"
_CODES: Final = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    412: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}


class Failure(Exception):
    """What a view cannot do, told as it will be answered."""

    def __init__(self, status: int, code: str, detail: str, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra or {}


def failure(error: Exception) -> Failure:
    """Return what an exception means to whoever asked; one that means nothing is logged and is a 500."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, Rejected):
        detail = "The configuration would not be valid; nothing was written."
        return Failure(422, "invalid", detail, {"problems": listed(error.problems)})
    if isinstance(error, Conflict):
        theirs = error.theirs
        current = None if theirs is None else {"revision": theirs.revision, "document": theirs.document}
        return Failure(412, "conflict", _sentence(error), {"current": current})
    if isinstance(error, NoSuchObject | NoSuchNode | UnknownRevision | UnknownNode):
        return Failure(404, "not_found", _sentence(error))
    if isinstance(error, InUse):
        users = [{"kind": kind, "name": name} for kind, name in error.users]
        return Failure(409, "in_use", _sentence(error), {"used_by": users})
    if isinstance(error, AccountError):
        return Failure(422, "invalid", f"{error.field}: {error}")
    if isinstance(error, StoreError):
        return Failure(503, "store_unavailable", _sentence(error))
    if isinstance(error, NodeError) and error.is_refusal:
        return Failure(400, "bad_request", _sentence(error))
    if isinstance(error, NodeError):
        return Failure(502, "node_unavailable", _sentence(error))
    if isinstance(error, Busy):
        return Failure(503, "busy", "Too many passwords are being checked; try again.")
    if isinstance(error, HTTPException):
        status = error.code or 500
        if error.description == NotFound.description:
            return Failure(status, "not_found", f"There is nothing at this path; {PREFIX}v1/openapi.json lists all.")
        return Failure(status, _CODES.get(status, "failed"), error.description or error.name)
    log.error("a request failed", exc_info=error, extra={"path": request.path})
    return Failure(500, "internal", "Something went wrong; the log of gadmin says what.")


def answered(found: Failure) -> Response:
    """Return the problem document of a failure."""
    response: Response = jsonify(
        {
            "type": "about:blank",
            "title": HTTPStatus(found.status).phrase,
            "status": found.status,
            "detail": found.detail,
            "code": found.code,
            **found.extra,
        }
    )
    response.status_code = found.status
    response.content_type = "application/problem+json"
    if found.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="gadmin"'
    return response


def listed(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return problems as JSON has them."""
    return [{"path": problem.path, "message": problem.message} for problem in problems]


def is_api() -> bool:
    """Tell whether the present request is one of a program."""
    return request.path.startswith(PREFIX)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
