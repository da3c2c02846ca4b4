import pytest
from flask import Flask
from werkzeug.exceptions import NotFound

from gadmin.accounts.accounts import AccountError
from gadmin.accounts.passwords import Busy
from gadmin.api.problems import Failure, answered, failure
from gadmin.configuration.editor import InUse, NoSuchObject
from gproxy.core.problem import Problem
from gproxy.ctl.node import NodeError
from gproxy.store.base import Conflict, Stored, StoreUnavailable, UnknownRevision, Write
from gproxy.store.edit import Rejected

CONFLICT = Conflict.of(Write("server", "u1", {}, 1), Stored("server", "u1", 2, {"a": 1}))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Failure(418, "tea", "No."), 418, "tea"),
        (Rejected([Problem("servers[a]", "is wrong")]), 422, "invalid"),
        (CONFLICT, 412, "conflict"),
        (NoSuchObject("server", "u1"), 404, "not_found"),
        (UnknownRevision("no"), 404, "not_found"),
        (InUse("server", "u1", [("cluster", "c")]), 409, "in_use"),
        (AccountError("name", "is taken"), 422, "invalid"),
        (StoreUnavailable("gone"), 503, "store_unavailable"),
        (NodeError("gone"), 502, "node_unavailable"),
        (Busy(), 503, "busy"),
        (NotFound(), 404, "not_found"),
    ],
)
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    found = failure(error)
    assert (found.status, found.code) == (status, code)


def test_details_come_along() -> None:
    assert failure(Rejected([Problem("servers[a]", "is wrong")])).extra == {
        "problems": [{"path": "servers[a]", "message": "is wrong"}]
    }
    assert failure(CONFLICT).extra == {"current": {"revision": 2, "document": {"a": 1}}}
    assert failure(InUse("server", "u1", [("cluster", "c")])).extra == {"used_by": [{"kind": "cluster", "name": "c"}]}


def test_what_nobody_expected_tells_nothing_of_the_inside(app: Flask) -> None:
    with app.test_request_context("/api/v1/servers"):
        found = failure(ZeroDivisionError("secret"))
        response = answered(found)
    assert (response.status_code, response.content_type) == (500, "application/problem+json")
    assert "secret" not in response.get_data(as_text=True)
    assert response.get_json()["title"] == "Internal Server Error"
