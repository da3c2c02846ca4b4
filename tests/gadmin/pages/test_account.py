import re

import pytest

from gadmin.accounts.login import FREE_BY_ADDRESS
from gadmin.accounts.roles import Role
from gadmin.services import Services
from tests.gadmin.conftest import Visit

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module", autouse=True)
def ada(services: Services, visit: Visit) -> None:
    visit(Role.EDITOR, "ada")
    services.accounts.set_password("ada", PASSWORD, "test")


def test_name_and_password_open_the_page_that_was_asked_for(visit: Visit) -> None:
    visitor = visit()
    wrong = visitor.post("/login", {"name": "ada", "password": "wrong"})
    assert wrong.status_code == 401
    assert "The name or the password is wrong." in wrong.text
    assert 'value="ada"' in wrong.text
    right = visitor.post("/login", {"name": "ada", "password": PASSWORD, "next": "/servers/?search=a"})
    assert right.headers["Location"] == "/servers/?search=a"
    assert visitor.get("/servers/").status_code == 200


@pytest.mark.parametrize(
    "target",
    ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "servers", "/a\nb", "/\t/evil.test"],
)
def test_a_login_never_leads_elsewhere(visit: Visit, target: str) -> None:
    answer = visit().post("/login", {"name": "ada", "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == "/"


def test_guessing_is_slowed_down(visit: Visit) -> None:
    visitor = visit()
    answers = [
        visitor.post(
            "/login", {"name": f"guess-{number}", "password": "x"}, environ_base={"REMOTE_ADDR": "203.0.113.9"}
        ).status_code
        for number in range(FREE_BY_ADDRESS + 2)
    ]
    assert answers == [401] * (FREE_BY_ADDRESS + 1) + [429]
    told = visitor.post("/login", {"name": "ada", "password": PASSWORD}, environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert told.status_code == 429
    assert int(told.headers["Retry-After"]) >= 1
    assert re.search(r"Too many attempts. Try again in \d+ s.", told.text)


def test_a_password_is_changed_by_who_knows_it(visit: Visit, services: Services) -> None:
    visitor = visit(Role.VIEWER, "bob")
    services.accounts.set_password(
        "bob", PASSWORD, "test", keep=next(iter(services.accounts.directory.sessions_of("bob")))
    )
    for fields, problem in (
        ({"current": "wrong", "new": "x" * 12, "again": "x" * 12}, "This is not your current password."),
        (
            {"current": PASSWORD, "new": "a good password", "again": "another one"},
            "The two passwords are not the same.",
        ),
        ({"current": PASSWORD, "new": "short", "again": "short"}, "It must have at least 10 characters."),
    ):
        answer = visitor.post("/account/password", fields)
        assert answer.status_code == 422
        assert problem in answer.text
    done = visitor.post(
        "/account/password", {"current": PASSWORD, "new": "a good password", "again": "a good password"}
    )
    assert done.status_code == 302
    assert visitor.get("/account").status_code == 200, "this session goes on"


def test_tokens_are_shown_once_and_end_when_removed(visit: Visit, services: Services) -> None:
    visitor, stranger = visit(Role.EDITOR, "carl"), visit(Role.EDITOR, "dora")
    page = visitor.post("/account/tokens", {"label": '<img src=x onerror="">', "role": "viewer", "days": "30"}).text
    token = re.search(r'id="new-token">([^<]+)<', page)
    assert token is not None
    assert "<img src=x" not in page
    assert token[1] not in visitor.get("/account").text
    assert services.accounts.by_token(token[1]) is not None
    name = token[1].split("_")[1]
    stranger.post(f"/account/tokens/{name}/delete")
    assert services.accounts.by_token(token[1]) is not None, "not a stranger's business"
    visitor.post(f"/account/tokens/{name}/delete")
    assert services.accounts.by_token(token[1]) is None
    for wrong in ({"role": "admin", "days": "30"}, {"role": "viewer", "days": "7"}, {"role": "x", "days": "0"}):
        assert visitor.post("/account/tokens", {"label": "x", **wrong}).status_code == 422


def test_all_sessions_can_be_ended(visit: Visit) -> None:
    here, there = visit(Role.VIEWER, "eve"), visit(Role.VIEWER, "eve")
    assert here.post("/account/logout-everywhere").headers["Location"] == "/login"
    assert there.get("/").status_code == 302
