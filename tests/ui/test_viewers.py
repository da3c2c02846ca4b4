"""The monitor of a fleet of three nodes with 200 servers: what fifty viewers cost the admin, and each their browser."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest
from playwright.sync_api import Browser

from tests.ctl.admins import admin_with_token
from tests.harness.admin import Admin
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.load import Load
from tests.harness.waiting import eventually
from tests.ui.test_first_use import log_in

VIEWERS = 50
NODES = 3
SERVERS = 200
SECONDS = 8
#: Of one core.
MOST_PERCENT = 30
#: Of the main thread, for one refresh.
MOST_MS = 50


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Admin, str, list[Gateway]]]:
    tmp_path = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        echo = stack.enter_context(EchoBackend())
        names = [f"s{number}" for number in range(SERVERS)]
        documents = {
            "servers": [{"name": name, "address": echo.address} for name in names],
            "clusters": [{"name": "all", "servers": names}],
            "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "all"}]}],
        }
        gateways: list[Gateway] = []
        for number in range(NODES):
            folder = tmp_path / f"node-{number}"
            folder.mkdir()
            settings: dict[str, dict[str, object]] = {"node": {"id": f"node-{number}"}}
            if gateways:
                settings["store"] = {"url": gateways[0].store}
            gateways.append(stack.enter_context(Gateway(folder, None if gateways else documents, settings)))
        admin, token = stack.enter_context(admin_with_token(tmp_path, gateways[0].store))
        yield admin, token, gateways


class Viewer(threading.Thread):
    """Asks once a second for what the monitor page asks for."""

    def __init__(self, admin: Admin, token: str, until_s: float) -> None:
        super().__init__()
        self._admin, self._token, self._until_s = admin, token, until_s
        self.answers = 0
        self.slowest_s = 0.0
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin.port, timeout=10)
        while time.monotonic() < self._until_s:
            began = time.monotonic()
            for path in ("/stats?history=tail", "/events?since=0")[: 1 + self.answers % 2]:
                connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {self._token}"})
                response = connection.getresponse()
                body = response.read()
                if response.status != 200:
                    self.failures.append(f"{response.status} {body[:100]!r}")
            self.answers += 1
            took_s = time.monotonic() - began
            self.slowest_s = max(self.slowest_s, took_s)
            time.sleep(max(0.0, 1 - took_s))
        connection.close()


@pytest.mark.serial
@pytest.mark.timeout(180)
def test_fifty_viewers_of_three_nodes(fleet: tuple[Admin, str, list[Gateway]]) -> None:
    admin, token, gateways = fleet
    process = psutil.Process(admin.process.pid)
    with Load(gateways[0].client, clients=1) as load:
        load.wait_for(2 * SERVERS)
        eventually(
            lambda: {node["state"] for node in admin.call("GET", "/nodes", token=token)[1]["nodes"]} == {"ok"},
            about="all nodes answer",
        )
    viewers = [Viewer(admin, token, time.monotonic() + SECONDS + 2) for _ in range(VIEWERS)]
    for viewer in viewers:
        viewer.start()
    eventually(lambda: all(viewer.answers for viewer in viewers), about="everybody has seen something")
    before, began = process.cpu_times(), time.monotonic()
    for viewer in viewers:
        viewer.join()
    used, took = process.cpu_times(), time.monotonic() - began
    percent = 100 * (used.user + used.system - before.user - before.system) / took
    told = admin.call("GET", "/stats", token=token)[1]
    assert len(told["nodes"]) == NODES
    figures = {
        "percent": round(percent, 1),
        "slowest_ms": round(1000 * max(viewer.slowest_s for viewer in viewers)),
        "answers": sum(viewer.answers for viewer in viewers),
        "bytes": len(json.dumps(told)),
    }
    print(figures)
    assert [failure for viewer in viewers for failure in viewer.failures] == []
    assert percent < MOST_PERCENT, figures


@pytest.mark.serial
@pytest.mark.timeout(180)
def test_a_refresh_holds_up_no_browser(fleet: tuple[Admin, str, list[Gateway]], browser: Browser) -> None:
    admin, _, gateways = fleet
    # Our pages allow no evaluated script; the test's own questions are some.
    context = browser.new_context(base_url=admin.url, viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    log_in(page, admin)
    with Load(gateways[0].client, clients=1) as load:
        load.wait_for(2 * SERVERS)
        page.goto("/monitor/")
        page.wait_for_function("document.querySelectorAll('table[data-busiest=servers] tbody tr').length > 100")
        took = []
        for _ in range(8):
            before = page.evaluate("performance.getEntriesByName('refresh')[0]?.startTime ?? 0")
            page.wait_for_function(f"(performance.getEntriesByName('refresh')[0]?.startTime ?? 0) > {before}")
            took.append(page.evaluate("performance.getEntriesByName('refresh')[0].duration"))
    context.close()
    print({"refresh_ms": [round(ms, 1) for ms in took]})
    assert sorted(took)[len(took) // 2] < MOST_MS, took
