"""The first hour with gproxy, in a browser: from the first login to a rollback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.admin import Admin
from tests.harness.backend import ScriptedBackend
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.load import Load
from tests.harness.waiting import eventually

Shoot = Callable[[Page, str], None]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[tuple[Gateway, Admin]]:
    with Gateway(tmp_path, None) as gateway, Admin(tmp_path, gateway.store) as admin:
        yield gateway, admin


def test_from_the_first_login_to_a_rollback(fresh: tuple[Gateway, Admin], browser: Browser, shoot: Shoot) -> None:
    gateway, admin = fresh
    context = browser.new_context(base_url=admin.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    with EchoBackend() as good, ScriptedBackend(default=[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]) as other:
        log_in(page, admin)
        build(page, {"good": good.address, "other": other.address})
        eventually(lambda: status(gateway) == 200, about="the API answers")
        with Load(gateway.client, clients=1):
            see_it_move(page)
            break_it(page, other, shoot)
        go_back(page, shoot)
        eventually(lambda: status(gateway) == 404, about="the API is gone")
    context.close()


def log_in(page: Page, admin: Admin) -> None:
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(admin.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Current password").fill(admin.password)
    for label in ("New password", "New password again"):
        page.get_by_label(label, exact=True).fill("a password of my own")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def fill(page: Page, field: str, text: str) -> None:
    """Type into the input of a field of a document."""
    page.locator(f'[id="{field}"]').fill(text)


def build(page: Page, servers: dict[str, str]) -> None:
    """Make servers, a cluster of them with a circuit breaker, and an API, as a person does."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Servers").click()
    expect(page.get_by_text("There are no servers yet.")).to_be_visible()
    for name, address in servers.items():
        page.goto("/servers/+new")
        fill(page, "name", name)
        fill(page, "address", "nowhere")
        fill(page, "weight", "1")
        expect(page.locator('[data-problem="address"]')).to_contain_text('must be "host:port"')
        fill(page, "address", address)
        fill(page, "weight", "2")
        expect(page.locator('[data-problem="address"]')).to_be_empty()
        page.get_by_role("button", name="Save", exact=True).last.click()
        expect(page.get_by_role("status").first).to_have_text(f"{name} is saved.")
    page.goto("/clusters/+new")
    fill(page, "name", "shop")
    page.locator("#servers").focus()
    for name in servers:
        page.get_by_role("button", name=f"+ {name}").click()
    page.get_by_label("Circuit breaker").check()
    fill(page, "circuit_breaker.open_s", "60")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_role("status").first).to_have_text("shop is saved.")
    page.goto("/apis/+new")
    fill(page, "name", "all")
    fill(page, "path", "/*")
    fill(page, "nodes[0].cluster", "shop")
    fill(page, "_comment", "the first API")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_role("status").first).to_have_text("all is saved.")


def see_it_move(page: Page) -> None:
    page.goto("/")
    expect(page.locator('[data-figure="requests"]')).to_have_text(re.compile(r"^[1-9][\d,.]*"), timeout=20_000)
    expect(page.locator(".chart canvas")).to_be_visible()


def break_it(page: Page, other: ScriptedBackend, shoot: Shoot) -> None:
    """Let one backend fail: the page of its server says so by itself, with the cause."""
    page.goto("/servers/other")
    other.default = [b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"]
    expect(page.locator("#per-node .chip")).to_have_text("open", timeout=20_000)
    page.goto("/events/?kind=circuit")
    row = page.locator("#events tbody tr").first
    expect(row).to_contain_text("other")
    expect(row).to_contain_text("open")
    expect(row).to_contain_text("consecutive failures")
    page.goto("/monitor/?server=other")
    expect(page.locator(".chart canvas").first).to_be_visible()
    shoot(page, "story-broken")


def go_back(page: Page, shoot: Shoot) -> None:
    page.goto("/history/")
    expect(page.get_by_text("the first API")).to_be_visible()
    page.get_by_role("row").filter(has_text="+ cluster shop").get_by_role("link", name="Roll back to this").click()
    expect(page.get_by_text("- api all")).to_be_visible()
    shoot(page, "story-rollback")
    page.get_by_role("button", name=re.compile("Roll back to revision")).click()
    expect(page.get_by_role("status").first).to_contain_text("1 removed")


def status(gateway: Gateway) -> int:
    with gateway.client() as client:
        return client.get("/anything").status
