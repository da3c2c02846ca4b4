"""A whole site for tests of pages: backends, a gateway with traffic, gadmin, and a real browser.

Screenshots of pages go to tests/ui/screenshots, in both themes; they are for people to look at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.ctl.admins import admin_with_token
from tests.harness.admin import Admin
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway

SCREENSHOTS = Path(__file__).parent / "screenshots"
PASSWORD = "correct horse battery"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: Other tests run on the same cores.
expect.set_options(timeout=20_000)

SIZES = {"wide": (1440, 900), "phone": (390, 844)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test of pages more time: the first one of a process starts everything."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(180))


@dataclass(frozen=True, slots=True)
class Place:
    """What runs: `admin` in front of the store of `gateway`, whose servers u1 and u2 are `backends`."""

    gateway: Gateway
    admin: Admin
    backends: tuple[EchoBackend, EchoBackend]
    token: str

    def put(self, plural: str, name: str, document: dict[str, Any]) -> None:
        """Make or change an object, and wait until every worker runs it."""
        status, told = self.admin.call("PUT", f"/{plural}/{name}?wait=applied", document, self.token)
        assert status in (200, 201), told

    def delete(self, plural: str, name: str) -> None:
        """Delete an object."""
        status, told = self.admin.call("DELETE", f"/{plural}/{name}", token=self.token)
        assert status == 200, told


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    with EchoBackend() as one, EchoBackend() as two:
        documents = {
            "servers": [{"name": "u1", "address": one.address}, {"name": "u2", "address": two.address, "weight": 2}],
            "clusters": [{"name": "users", "servers": ["u1", "u2"], "circuit_breaker": {"open_s": 2}}],
            "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "users"}], "tags": ["demo"]}],
        }
        with Gateway(folder, documents) as gateway, admin_with_token(folder, gateway.store) as (admin, token):
            yield Place(gateway, admin, (one, two), token)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def signed_in(place: Place, browser: Browser) -> Iterator[BrowserContext]:
    """A browser in which the first user has logged in and chosen a password."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=place.admin.url, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(place.admin.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Current password").fill(place.admin.password)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.get_by_role("heading", name="Overview").wait_for()
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    """A new page; the test fails when the browser complains about anything."""
    page = signed_in.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    assert complaints == [], complaints


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Return what takes pictures of a page under a name, light and dark; with GPROXY_SCREENSHOTS=all on a phone too."""

    def take(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        before = page.viewport_size
        for size in SIZES if os.environ.get("GPROXY_SCREENSHOTS") == "all" else ("wide",):
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.evaluate("dispatchEvent(new Event('theme'))")  # charts take over the colours
                page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{theme}.png", full_page=True, animations="disabled")
        page.emulate_media(color_scheme="light")
        if before is not None:
            page.set_viewport_size(before)

    return take


def serious(page: Page, options: dict[str, Any] | None) -> list[tuple[str, list[Any]]]:
    """Return what axe-core finds that keeps people out: rule, and where."""
    found = Axe().run(page, options=options).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
