"""What forms do while somebody types: previews, conditions put together from parts, moments from now on."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.ui.conftest import serious

Shoot = Callable[[Page, str], None]


def fill(page: Page, field: str, text: str) -> None:
    page.locator(f'[id="{field}"]').fill(text)


def test_an_api_shows_what_servers_would_be_asked_for(page: Page, shoot: Shoot) -> None:
    page.goto("/apis/+new")
    fill(page, "path", "/users/{id:int}")
    fill(page, "nodes[0].cluster", "users")
    fill(page, "nodes[0].rewrite", "/u?id={path.id}&page={query.page|1}")
    outcome = page.locator("[data-outcome]")
    expect(outcome).to_contain_text("/u?id=1&page=1")
    fill(page, "_sample_url", "/users/42?page=3")
    expect(outcome).to_contain_text("/u?id=42&page=3")
    expect(outcome).to_contain_text("{path.id} 42")
    page.get_by_role("button", name="Add").first.click()
    expect(page.locator('[id="nodes[1].cluster"]')).to_be_visible()
    expect(page.locator("#_sample_url")).to_have_value("/users/42?page=3")
    assert serious(page, None) == []
    shoot(page, "api-preview")
    page.close(run_before_unload=False)


def test_conditions_are_put_together_and_looked_at(page: Page, shoot: Shoot) -> None:
    page.goto("/routings/+new")
    builder = page.locator(".builder").first
    builder.get_by_label("What to look at").select_option("cookie")
    builder.get_by_label("Its name").fill("group")
    builder.get_by_label("With what").fill("beta")
    builder.get_by_label("With what").press("Enter")
    expect(page.locator('[id="when.all"]')).to_have_value("$cookie_group == beta")
    outcome = page.locator("[data-outcome]")
    expect(outcome).to_contain_text("does not hold")
    page.get_by_text("Headers and body").click()
    fill(page, "_sample_headers", "Cookie: group=beta")
    expect(outcome).to_contain_text("applies")
    fill(page, "when.all", "$cookie_group = beta")
    expect(page.locator('[data-problem="when.all"]')).to_contain_text("is not an expression")
    fill(page, "when.all", "$cookie_group == beta")
    page.get_by_label("Share in percent").first.fill("25")
    expect(page.locator("#percent")).to_have_value("25")
    expect(outcome).to_contain_text("applies to 25 % of such requests")
    page.get_by_role("button", name="in 1 day").click()
    expect(page.locator("#expires_at")).not_to_have_value("")
    assert serious(page, None) == []
    shoot(page, "routing-preview")
