from collections.abc import Iterator

import pytest
from flask import Flask

from gadmin.services import Services
from gproxy.core.secret_fields import HIDDEN
from tests.gadmin.conftest import Visitor

SECRET = "a-secret-of-at-least-32-characters-0123"
OLDER = f"older-{SECRET}"


@pytest.fixture(scope="module")
def told(services: Services, editor: Visitor) -> Services:
    """An API whose tokens are signed with a secret, which was changed once."""
    for secret in (OLDER, SECRET):
        auth = {"jwt": {"algorithms": ["HS256"], "secret": secret}}
        document = {"path": "/a", "mock": True, "default_response": {"body": "x"}, "auth": auth}
        assert editor.call("PUT", "/apis/guarded", document).status_code < 300
    return services


def pages(app: Flask) -> Iterator[str]:
    """Yield everything that can be got, about the API where it is about something."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint != "static":
            values = {"name": "guarded", "plural": "apis", "revision": 2, "node": "n"}
            yield rule.build({key: values[key] for key in rule.arguments}, append_unknown=False)[1]  # type: ignore[index]
    yield "/api/v1/history?changes=full"
    yield "/api/v1/apis/guarded?defaults=true"
    yield "/api/v1/export?format=yaml"


def test_who_may_only_look_sees_no_secret_anywhere(app: Flask, told: Services, viewer: Visitor) -> None:
    seen = {path: viewer.get(path) for path in pages(app) if "logout" not in path}
    assert sum(answer.status_code == 200 for answer in seen.values()) > 20
    assert [path for path, answer in seen.items() if SECRET in answer.text] == []
    assert HIDDEN in seen["/apis/guarded"].text
    assert HIDDEN in seen["/history/2"].text
    assert seen["/api/v1/apis/guarded"].get_json()["auth"]["jwt"]["secret"] == HIDDEN


def test_nor_can_it_be_guessed_by_searching(told: Services, viewer: Visitor, editor: Visitor) -> None:
    for visitor in (viewer, editor):
        assert visitor.call("GET", f"/apis?search={SECRET[:4]}-").get_json()["total"] == 0
        assert visitor.call("GET", f"/apis?auth.jwt.secret={SECRET}").status_code == 400
        assert visitor.call("GET", "/apis?search=guarded").get_json()["total"] == 1


def test_who_may_change_it_sees_it(told: Services, editor: Visitor) -> None:
    for path in (
        "/apis/guarded",
        "/history/2",
        "/api/v1/apis/guarded",
        "/api/v1/export",
        "/api/v1/history?changes=full",
    ):
        assert SECRET in editor.get(path).text
