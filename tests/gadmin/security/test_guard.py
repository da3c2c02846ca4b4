import pytest
from flask import Flask

from gadmin.accounts.roles import Role
from gadmin.security import guard
from gadmin.security.csrf import FIELD, HEADER
from gadmin.services import Services
from tests.gadmin.conftest import CSRF, Visit, Visitor

#: Arguments of rules that have some.
VALUES = {"name": "nobody", "node": "nobody", "plural": "servers", "revision": 0}


def rules(app: Flask) -> list[tuple[str, str, object]]:
    """Return (method, path, what the view is marked with) of everything that is served."""
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if rule.endpoint == "static":
                continue
            path = str(app.url_for(rule.endpoint, **{name: VALUES[name] for name in rule.arguments}))
            marked = guard.rule(app.view_functions[rule.endpoint])
            found += [(method, path, marked) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}]
    return sorted(found, key=str)


def test_every_view_says_who_may_use_it(app: Flask) -> None:
    assert [path for _, path, marked in rules(app) if marked is None] == []
    public = {path for _, path, marked in rules(app) if not isinstance(marked, Role)}
    assert public == {"/login", "/healthz", "/api/v1/openapi.json"}


def test_nobody_sees_anything_without_a_login(app: Flask, visit: Visit) -> None:
    nobody = visit()
    for method, path, marked in rules(app):
        if not isinstance(marked, Role):
            continue
        answer = nobody.client.open(path, method=method, headers={HEADER: CSRF})
        if path.startswith("/api/"):
            assert answer.status_code == 401, path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        else:
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith("/login"), path


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_what_it_should_and_nothing_else(app: Flask, visit: Visit, role: Role) -> None:
    visitor = visit(role, f"guard-{role.label}")
    for method, path, marked in rules(app):
        if not isinstance(marked, Role) or path in ("/logout", "/account/logout-everywhere"):
            continue
        answer = visitor.client.open(
            path,
            method=method,
            headers={HEADER: CSRF},
            json={} if "/api/" in path else None,
        )
        assert (answer.status_code == 403) is (role < marked), (method, path, answer.status_code, answer.text[:300])
        assert answer.status_code < 500, (method, path)


def test_a_page_that_was_asked_for_comes_after_the_login(visit: Visit) -> None:
    answer = visit().get("/servers/?search=a")
    assert answer.headers["Location"] == "/login?next=/servers/?search%3Da"


def test_a_password_of_somebody_else_has_to_be_changed_first(visit: Visit, services: Services) -> None:
    visitor = visit(Role.EDITOR, "guard-new")
    services.accounts.set_password("guard-new", "another password", "test", must_change=True, keep=_key(services))
    assert visitor.get("/").headers["Location"] == "/account/password"
    assert visitor.call("GET", "/servers").status_code == 403
    assert visitor.get("/account/password").status_code == 200


def _key(services: Services) -> str:
    return next(iter(services.accounts.directory.sessions_of("guard-new")))


def test_a_token_opens_the_rest_interface_without_csrf(services: Services, visit: Visit) -> None:
    visit(Role.EDITOR, "guard-token")
    user = services.accounts.directory.users["guard-token"]
    token = services.accounts.create_token(user, "ci", Role.EDITOR, 0, "test")
    client = visit().client.application.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.put("/api/v1/servers/by-token", json={"address": "a:1"}, headers=headers).status_code == 201
    assert (
        client.get("/api/v1/history?limit=1", headers=headers)
        .get_json()["entries"][0]["author"]
        .startswith("guard-token (token ")
    )
    for wrong in ("Bearer x", "Basic YTpi", f"Bearer {token}x", "Bearer"):
        assert client.get("/api/v1/servers", headers={"Authorization": wrong}).status_code == 401
    found = client.get("/api/v1/servers", headers={"Authorization": "Bearer x"})
    assert found.get_json()["detail"].startswith("This token is not valid")


def test_a_forged_cookie_is_nobody(visit: Visit) -> None:
    client = visit().client.application.test_client()
    client.set_cookie("gadmin", "eyJsb2dpbiI6IngifQ.aaaa.bbbb")
    assert client.get("/api/v1/servers").status_code == 401


def test_the_session_is_another_one_after_the_login(viewer: Visitor, visit: Visit, services: Services) -> None:
    key = next(iter(services.accounts.directory.sessions_of("a-viewer")))
    services.accounts.set_password("a-viewer", "a good password", "test", keep=key)
    nobody = visit()
    before = nobody.client.get_cookie("gadmin")
    answer = nobody.post("/login", {"name": "a-viewer", "password": "a good password"})
    assert answer.status_code == 302
    after = nobody.client.get_cookie("gadmin")
    assert before is not None
    assert after is not None
    stolen = visit().client.application.test_client()
    stolen.set_cookie("gadmin", before.value)
    assert stolen.get("/api/v1/servers").status_code == 401, "who knew the cookie before knows nothing"
    assert nobody.get("/api/v1/servers").status_code == 200
    nobody.client.get("/")
    with nobody.client.session_transaction() as session:
        session[FIELD] = CSRF
    assert nobody.post("/logout").status_code == 302
    stolen.set_cookie("gadmin", after.value)
    assert stolen.get("/api/v1/servers").status_code == 401, "a cookie that was kept opens nothing after the logout"
