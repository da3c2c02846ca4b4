"""What people do with pages: fill in forms that show what comes of it, try an API out, check a server, drain a node.

One file, because each one has a whole site of its own to start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.harness.echo import EchoBackend
from tests.ui.conftest import Place, serious

Shoot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def aggregation(place: Place) -> Iterator[str]:
    """An API with two nodes that answer and one that does not."""
    clusters = ("users", "money", "gone")
    nodes = [{"cluster": name, "attr": name, "rewrite": f"/{name}/{{path.id}}"} for name in clusters]
    with EchoBackend("money") as money:
        place.put("servers", "m1", {"address": money.address})
        place.put("servers", "x1", {"address": "127.0.0.1:1"})
        place.put("clusters", "money", {"servers": ["m1"]})
        place.put("clusters", "gone", {"servers": ["x1"]})
        merge = {"on_failure": "partial"}
        place.put("apis", "profile", {"path": "/profile/{id:int}", "nodes": nodes, "merge": merge})
        yield "profile"
        for plural, name in (("apis", "profile"), ("clusters", "money"), ("clusters", "gone"), ("servers", "m1")):
            place.delete(plural, name)
        place.delete("servers", "x1")


def test_an_api_is_tried_with_a_real_request(page: Page, shoot: Shoot, aggregation: str) -> None:
    page.goto(f"/apis/{aggregation}")
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_label("URL")).to_have_value("http://localhost/profile/1")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("200 OK")
    users = page.get_by_role("region", name="Part users")
    expect(users.get_by_role("link", name="u1").or_(users.get_by_role("link", name="u2"))).to_be_visible()
    expect(users.locator("pre")).to_contain_text('"target": "/users/1"')
    money = page.get_by_role("region", name="Part money")
    expect(money.get_by_role("link", name="m1")).to_be_visible()
    gone = page.get_by_role("region", name="Part gone")
    expect(gone).to_contain_text("502")
    expect(gone).to_contain_text("refused")
    assert serious(page, None) == []
    shoot(page, "api-try")


def test_a_server_is_checked_now_and_a_node_drains(page: Page, shoot: Shoot, place: Place) -> None:
    place.put("servers", "h1", {"address": place.backends[0].address, "health_check": {"interval_s": 300}})
    page.goto("/servers/h1")
    page.get_by_role("button", name="Test now").click()
    expect(page.get_by_role("status").first).to_contain_text("h1 is up there.")
    expect(page.get_by_role("img", name="health on")).to_be_visible()
    shoot(page, "server-checked")
    place.delete("servers", "h1")
    page.goto("/proxies/")
    page.get_by_role("button", name="Drain").click()
    expect(page.locator("[data-drained]")).to_be_visible()
    expect(page.locator('[data-fact="ready"]')).to_have_text("drained")
    expect(page.get_by_text("Drained by")).to_be_visible()
    shoot(page, "proxies-drained")
    page.get_by_role("button", name="Take traffic again").click()
    expect(page.locator("[data-drained]")).to_be_hidden()
    expect(page.locator('[data-fact="ready"]')).to_have_text("yes")


def test_a_server_that_is_down_says_so_in_the_first_line(page: Page, shoot: Shoot, place: Place) -> None:
    check = {"interval_s": 0.2, "timeout_s": 1, "fall": 1}
    place.put("servers", "d1", {"address": "127.0.0.1:1", "health_check": check})
    page.goto("/servers/d1")
    troubles = page.locator("#troubles")
    expect(troubles).to_contain_text("Down on ")
    expect(troubles).to_contain_text("refused")
    expect(troubles).to_contain_text("noticed by the health check")
    assert serious(page, None) == []
    page.reload()
    shoot(page, "server-down")
    page.goto("/servers/")
    row = page.locator('tr[data-name="d1"]')
    expect(row.locator("[data-states]")).to_have_text("down")
    shoot(page, "servers-down")
    page.goto("/")
    expect(page.locator("#attention")).to_contain_text("d1")
    shoot(page, "overview-down")
    place.delete("servers", "d1")


def test_a_form_that_is_refused_says_what_and_where(signed_in: BrowserContext, shoot: Shoot) -> None:
    page = signed_in.new_page()  # the browser complains about each page that comes with 422
    page.goto("/servers/+new")
    fill(page, "address", "nowhere")
    fill(page, "weight", "lots")
    page.get_by_label("Circuit breaker").check()
    fill(page, "circuit_breaker.max_open_s", "-1")
    page.get_by_role("button", name="Save", exact=True).last.click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Nothing was saved: 3 to correct")
    link = summary.get_by_role("link", name="Address")
    expect(link).to_be_visible()
    assert serious(page, None) == []
    shoot(page, "form-refused")
    link.click()
    expect(page.locator("#address")).to_be_focused()
    page.close()


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
