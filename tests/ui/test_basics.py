"""The frame of all pages, and the pages of servers and clusters, as somebody sees them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.harness.load import Load
from tests.ui.conftest import Place

Shoot = Callable[[Page, str], None]


def test_the_overview_shows_traffic_as_it_comes(place: Place, page: Page, shoot: Shoot) -> None:
    with Load(place.gateway.client, clients=2):
        page.goto("/")
        expect(page.locator("#fleet-state")).to_have_text("1 node ok")
        expect(page.locator('[data-figure="requests"]')).not_to_have_text("–")
        page.locator(".chart .u-over").wait_for()
        shoot(page, "overview")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/servers/", "servers"),
        ("/servers/u1", "server"),
        ("/servers/u1/edit", "server-edit"),
        ("/servers/+new", "server-new"),
        ("/servers/u1/delete", "server-delete"),
        ("/clusters/", "clusters"),
        ("/clusters/users", "cluster"),
        ("/clusters/users/edit", "cluster-edit"),
        ("/users/", "users"),
        ("/account", "account"),
        ("/account/password", "password"),
    ],
)
def test_pages_are_there(page: Page, shoot: Shoot, path: str, name: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    shoot(page, name)
