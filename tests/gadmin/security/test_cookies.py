from tests.gadmin.conftest import Visit, Visitor


def test_the_cookie_is_out_of_reach_of_scripts_and_secure_over_https(visit: Visit) -> None:
    client = visit().client.application.test_client()
    plain = client.get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    other = visit().client.application.test_client()
    assert "Secure" in other.get("/login", base_url="https://localhost").headers["Set-Cookie"]


def test_answers_that_change_nothing_leave_the_cookie_alone(viewer: Visitor) -> None:
    viewer.client.get("/")
    assert "Set-Cookie" not in viewer.client.get("/api/v1/servers").headers
    assert "Set-Cookie" not in viewer.client.get("/servers/").headers
