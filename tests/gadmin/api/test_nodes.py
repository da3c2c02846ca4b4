from collections.abc import Iterator

import pytest
from flask import Flask

from gadmin.app import create_app
from gadmin.services import Services
from tests.gadmin.conftest import Visit, Visitor, services_in
from tests.gadmin.fleet.nodes import FakeNode, fake_node
from tests.store.test_nodes import a_node


@pytest.fixture(scope="module")
def node() -> Iterator[FakeNode]:
    with fake_node("n1") as made:
        made.events.append({"id": 1, "time_ms": 5, "kind": "circuit", "object": "server", "name": "u1", "to": "open"})
        yield made


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, node: FakeNode) -> Iterator[Services]:
    made = services_in(tmp_path_factory.mktemp("admin"), fleet={"nodes": node.address})
    made.begin()
    yield made
    made.end()


@pytest.fixture(scope="module")
def app(services: Services) -> Flask:
    return create_app(services)


def test_nodes_and_their_figures(viewer: Visitor, node: FakeNode) -> None:
    (told,) = viewer.call("GET", "/nodes").get_json()["nodes"]
    assert (told["id"], told["state"], told["node"]) == (node.address, "ok", "n1")
    stats = viewer.call("GET", "/stats").get_json()
    assert stats["totals"]["requests"] == 10
    assert viewer.call("GET", "/stats?history=all").get_json()["history"]["seconds"] == 600
    assert viewer.call("GET", "/stats?history=some").status_code == 400


def test_one_object_that_is_configured(viewer: Visitor, editor: Visitor) -> None:
    assert viewer.call("GET", "/stats/servers/u1").status_code == 404
    editor.call("PUT", "/servers/u1", {"address": "a:1"})
    told = viewer.call("GET", "/stats/servers/u1").get_json()
    assert told["merged"]["requests"] == 10
    assert viewer.call("GET", "/health/u1").get_json()["nodes"][0]["state"] == "down"
    assert editor.call("POST", "/health/u1").get_json()["nodes"][0]["state"] == "down"
    assert editor.call("POST", "/health/none").status_code == 404


def test_events_after_a_number(viewer: Visitor) -> None:
    told = viewer.call("GET", "/events").get_json()
    assert told["events"][0]["name"] == "u1"
    assert viewer.call("GET", f"/events?since={told['last']}").get_json()["events"] == []
    assert viewer.call("GET", "/events?since=x").status_code == 400


def test_one_node_in_its_own_words(viewer: Visitor, node: FakeNode) -> None:
    assert viewer.call("GET", f"/nodes/{node.address}/stats").get_json()["node"] == "n1"
    assert viewer.call("GET", f"/nodes/{node.address}/events").get_json()["last"] == 1
    assert viewer.call("GET", "/nodes/n9/stats").status_code == 404


def test_a_request_is_explained_by_a_node(viewer: Visitor, node: FakeNode) -> None:
    for path in ("/explain", f"/explain?node={node.address}"):
        assert viewer.call("POST", path, {"method": "GET", "url": "/a"}).get_json() == {"outcome": "all"}
        assert any(asked.startswith("/explain {") for asked in node.asked)
    assert viewer.call("POST", "/explain?node=n9", {"url": "/a"}).status_code == 404
    assert viewer.call("POST", "/explain", []).status_code == 400


def test_a_question_that_the_node_does_not_take_is_the_askers_fault(viewer: Visitor, node: FakeNode) -> None:
    node.refusal = "method, url, body and client_ip are texts"
    answer = viewer.call("POST", "/explain", {"url": 5})
    node.refusal = ""
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert "client_ip are texts" in answer.get_json()["detail"]


def test_nobody_sees_figures_without_a_login(visit: Visit) -> None:
    assert visit().get("/api/v1/stats").status_code == 401


def test_a_node_is_drained_and_brought_back(editor: Visitor, viewer: Visitor, services: Services) -> None:
    assert editor.call("PUT", "/nodes/web-1/drained", {"drained": True}).status_code == 404
    with services.editor._stores.use() as store:
        store.registry.announce(a_node("web-1"))
    for _ in range(2):  # wishing it again changes nothing
        told = editor.call("PUT", "/nodes/web-1/drained", {"drained": True})
        assert (told.status_code, told.get_json()) == (200, {"node": "web-1", "drained": True})
    assert services.draining.wishes()["web-1"].author == "a-editor"
    for _ in range(2):
        assert editor.call("PUT", "/nodes/web-1/drained", {"drained": False}).status_code == 200
    assert services.draining.wishes() == {}
    assert editor.call("PUT", "/nodes/web-1/drained", {"drained": 1}).status_code == 422
    assert viewer.call("PUT", "/nodes/web-1/drained", {"drained": True}).status_code == 403
