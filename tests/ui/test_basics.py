"""Every page is there, complains about nothing, and can be used by everybody (axe-core)."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.harness.load import Load
from tests.ui.conftest import SIZES, Place, serious

Shoot = Callable[[Page, str], None]

PAGES = [
    ("/", "overview"),
    ("/monitor/", "monitor"),
    ("/monitor/?server=u1", "monitor-server"),
    ("/servers/", "servers"),
    ("/servers/u1", "server"),
    ("/servers/u1/edit", "server-edit"),
    ("/servers/+new", "server-new"),
    ("/servers/u1/delete", "server-delete"),
    ("/clusters/", "clusters"),
    ("/clusters/users", "cluster"),
    ("/clusters/users/edit", "cluster-edit"),
    ("/apis/", "apis"),
    ("/apis/all", "api"),
    ("/apis/all/edit", "api-edit"),
    ("/routings/", "routings"),
    ("/routings/+new", "routing-new"),
    ("/history/", "history"),
    ("/history/1", "history-entry"),
    ("/history/0/rollback", "history-rollback"),
    ("/proxies/", "proxies"),
    ("/events/", "events"),
    ("/explain/?method=GET&url=http://a.test/users/1", "explain"),
    ("/users/", "users"),
    ("/users/admin", "user"),
    ("/account", "account"),
    ("/account/password", "password"),
]


@pytest.fixture(scope="module", autouse=True)
def traffic(place: Place) -> object:
    """Some requests, so that there is something to see."""
    with Load(place.gateway.client, clients=1) as load:
        load.wait_for(200)
    return None


@pytest.mark.parametrize(("path", "name"), PAGES, ids=[name for _, name in PAGES])
def test_every_page(page: Page, shoot: Shoot, path: str, name: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("#fleet-state .chip")).to_be_visible()
    assert serious(page, None) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page, {"runOnly": ["color-contrast"]}) == []
    shoot(page, name)
    width, height = SIZES["phone"]
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")  # charts need a moment to shrink


def test_the_login_page(place: Place, page: Page, shoot: Shoot) -> None:
    context = page.context.browser.new_context(base_url=place.admin.url)  # type: ignore[union-attr]
    visitor = context.new_page()
    visitor.goto("/servers/")
    expect(visitor.get_by_label("Password")).to_be_visible()
    assert serious(visitor, None) == []
    shoot(visitor, "login")
    context.close()
