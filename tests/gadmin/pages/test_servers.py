from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode


def test_a_server_shows_its_last_conversation_on_each_node(viewer: Visitor, editor: Visitor, node: FakeNode) -> None:
    editor.call("PUT", "/servers/u1", {"address": "a:1"})
    page = viewer.get("/servers/u1").text
    assert "Health checks" in page
    assert "GET /up HTTP/1.1" in page
    assert "503 &lt;b&gt;" in page, "what a server said is never run"
    assert "unexpected status" in page


def test_the_list_names_the_clusters_of_a_server(viewer: Visitor, editor: Visitor) -> None:
    editor.call("PUT", "/clusters/c9", {"servers": ["u1"]})
    assert '<a href="/clusters/c9">c9</a>' in viewer.get("/servers/").text
