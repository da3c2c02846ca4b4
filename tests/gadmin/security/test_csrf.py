import pytest

from gadmin.security.csrf import FIELD, HEADER
from tests.gadmin.conftest import CSRF, Visit, Visitor

SERVER = {"address": "127.0.0.1:1"}


def test_changes_need_the_secret_of_the_session(editor: Visitor) -> None:
    path = "/api/v1/servers/csrf-1"
    for headers in ({}, {HEADER: "wrong"}, {HEADER: ""}):
        answer = editor.client.put(path, json=SERVER, headers=headers)
        assert answer.status_code == 403
        assert answer.get_json()["code"] == "forbidden"
    assert editor.client.put(path, json=SERVER, headers={HEADER: CSRF}).status_code == 201
    assert editor.client.get(path).status_code == 200, "looking needs none"


def test_forms_need_it_too_and_so_does_the_login(editor: Visitor, visit: Visit) -> None:
    assert editor.client.post("/servers/+new", data={"address": "127.0.0.1:2"}).status_code == 403
    assert visit().client.post("/login", data={"name": "admin", "password": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 201), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
def test_other_sites_are_turned_away_whatever_they_know(editor: Visitor, site: str, status: int) -> None:
    headers = {HEADER: CSRF, "Sec-Fetch-Site": site}
    assert editor.client.put("/api/v1/servers/csrf-2", json=SERVER, headers=headers).status_code == status


def test_each_session_has_a_secret_of_its_own(visit: Visit) -> None:
    pages = [visit().client.get("/login") for _ in range(2)]
    assert all(FIELD in page.text for page in pages)
    app = visit().client.application
    assert app.test_client().get("/login").text != app.test_client().get("/login").text
