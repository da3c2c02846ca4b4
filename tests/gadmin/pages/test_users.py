import re

from gadmin.accounts.roles import Role
from gadmin.services import Services
from tests.gadmin.conftest import Visit, Visitor


def test_a_new_user_gets_a_password_that_is_shown_once(admin: Visitor, services: Services, visit: Visit) -> None:
    page = admin.post("/users/", {"name": "nora", "role": "editor"}).text
    password = re.search(r'id="new-password">([^<]+)<', page)
    assert password is not None
    assert password[1] not in admin.get("/users/").text
    assert services.accounts.directory.users["nora"].must_change
    assert visit().post("/login", {"name": "nora", "password": password[1]}).status_code == 302
    for fields, problem in (
        ({"name": "nora", "role": "viewer"}, "there is a user nora already."),
        ({"name": "a b", "role": "viewer"}, "must be 1 to 128 letters"),
    ):
        answer = admin.post("/users/", fields)
        assert answer.status_code == 422
        assert problem in answer.text
    assert admin.post("/users/", {"name": "olga", "role": "god"}).status_code == 422


def test_roles_change_and_users_can_be_disabled(admin: Visitor, services: Services, visit: Visit) -> None:
    theirs = visit(Role.VIEWER, "pia")
    assert admin.post("/users/pia", {"role": "editor"}).status_code == 302
    assert services.accounts.directory.users["pia"].rank is Role.EDITOR
    assert theirs.get("/servers/+new").status_code == 200, "at once"
    admin.post("/users/pia", {"role": "editor", "is_disabled": "on"})
    assert theirs.get("/servers/").status_code == 302
    assert "disabled" in admin.get("/users/").text


def test_the_last_admin_stays(admin: Visitor, services: Services) -> None:
    for name in [user.name for user in services.accounts.directory.users.values() if user.rank is Role.ADMIN]:
        if name != admin.name:
            admin.post(f"/users/{name}/delete")
    for answer in (
        admin.post(f"/users/{admin.name}", {"role": "viewer"}),
        admin.post(f"/users/{admin.name}/delete"),
    ):
        assert answer.status_code == 422
        assert "somebody must remain" in answer.text


def test_passwords_sessions_and_users_end(admin: Visitor, services: Services, visit: Visit) -> None:
    theirs = visit(Role.VIEWER, "quinn")
    page = admin.post("/users/quinn/password").text
    assert re.search(r'id="new-password">[^<]+<', page)
    assert theirs.get("/").status_code == 302
    theirs = visit(Role.VIEWER, "quinn")
    admin.post("/users/quinn/logout")
    assert theirs.get("/").status_code == 302
    assert admin.post("/users/quinn/delete").headers["Location"] == "/users/"
    assert admin.get("/users/quinn").status_code == 404
    assert "removed quinn" in admin.get("/users/").text
