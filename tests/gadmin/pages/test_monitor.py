from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode


def test_charts_of_everything_of_a_node_and_of_an_object(viewer: Visitor, editor: Visitor, node: FakeNode) -> None:
    editor.call("PUT", "/servers/u1", {"address": "a:1"})
    assert 'data-source=""' in viewer.get("/monitor/").text
    assert 'data-source="/stats/servers/u1"' in viewer.get("/monitor/?server=u1").text
    assert f'data-source="/stats/nodes/{node.address}"' in viewer.get(f"/monitor/?node={node.address}").text
    assert viewer.get("/monitor/?api=none").status_code == 404
    told = viewer.call("GET", f"/stats/nodes/{node.address}").get_json()
    assert told["nodes"][0]["id"] == node.address
    assert viewer.call("GET", "/stats/nodes/n9").status_code == 404
