import time

from gadmin.pages.context import ago, moment
from tests.gadmin.conftest import Visitor


def test_times_in_words() -> None:
    now = time.time()
    assert [ago(now - passed) for passed in (0, 5, 300, 7300, 3 * 86_400)] == [
        "now",
        "5 s ago",
        "5 min ago",
        "2 h ago",
        "3 d ago",
    ]
    assert ago(now + 100) == "now"
    assert moment(0) == "1970-01-01T00:00:00Z"


def test_the_navigation_shows_what_the_role_may_see(viewer: Visitor, admin: Visitor) -> None:
    assert 'href="/users/"' not in viewer.get("/").text
    assert 'href="/users/"' in admin.get("/").text
    assert 'aria-current="page"' in viewer.get("/servers/").text


def test_files_have_addresses_that_change_with_them(viewer: Visitor) -> None:
    assert "/static/css/base.css?v=" in viewer.get("/").text


def test_the_theme_that_was_chosen_is_there_from_the_first_byte(viewer: Visitor) -> None:
    viewer.client.set_cookie("theme", "dark")
    assert 'data-theme="dark"' in viewer.get("/").text
    viewer.client.set_cookie("theme", '"><script>')
    assert "data-theme" not in viewer.get("/").text
    viewer.client.delete_cookie("theme")
