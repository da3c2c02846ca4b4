from gadmin.services import Services
from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode


def test_a_server_shows_its_last_conversation_on_each_node(viewer: Visitor, editor: Visitor, node: FakeNode) -> None:
    editor.call("PUT", "/servers/u1", {"address": "a:1"})
    page = viewer.get("/servers/u1").text
    assert "Health checks" in page
    assert "GET /up HTTP/1.1" in page
    assert "503 &lt;b&gt;" in page, "what a server said is never run"
    assert "unexpected status" in page
    first = page.split('id="troubles"')[1].split("</ul>")[0]
    assert "<strong>Down</strong> on" in first
    assert "noticed by the health check" in first


def test_the_list_names_the_clusters_of_a_server(viewer: Visitor, editor: Visitor) -> None:
    editor.call("PUT", "/clusters/c9", {"servers": ["u1"]})
    assert '<a href="/clusters/c9">c9</a>' in viewer.get("/servers/").text


def test_a_server_drains_at_the_press_of_a_button(editor: Visitor, services: Services) -> None:
    editor.call("PUT", "/servers/d1", {"address": "a:1", "weight": 3})
    page = editor.post("/servers/d1/status", {"status": "drain"}, follow_redirects=True).text
    assert "d1 is draining now." in page
    assert "gets no new ones" in page
    assert "Set by a-editor, " in page
    assert ": status drain." in page
    stored = services.configuration.get("server", "d1")
    assert stored is not None
    assert stored.document == {"name": "d1", "address": "a:1", "weight": 3, "status": "drain"}
    assert services.editor.history("server", "d1")[0].comment == "status drain"
    assert "Nothing was changed" in editor.post("/servers/d1/status", {"status": "x"}, follow_redirects=True).text
    editor.post("/servers/d1/status", {"status": "up"})
    stored = services.configuration.get("server", "d1")
    assert stored is not None
    assert "status" not in stored.document
    assert editor.post("/servers/none/status", {"status": "up"}).status_code == 404


def test_a_server_is_checked_at_the_press_of_a_button(viewer: Visitor, editor: Visitor, node: FakeNode) -> None:
    for name in ("c1", "unchecked"):
        editor.call("PUT", f"/servers/{name}", {"address": "a:1"})
    assert "Test now" in editor.get("/servers/c1").text
    assert "Test now" not in viewer.get("/servers/c1").text
    page = editor.post("/servers/c1/check", follow_redirects=True).text
    assert f"{node.address}: status; c1 is down there." in page
    assert '/check {"server": "c1"}' in node.asked
    assert "No node checks unchecked" in editor.post("/servers/unchecked/check", follow_redirects=True).text
    assert viewer.post("/servers/c1/check").status_code == 403
    assert editor.post("/servers/none/check").status_code == 404
