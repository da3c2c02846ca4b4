from gadmin.services import Services
from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode
from tests.store.test_nodes import a_node


def test_each_node_with_its_state(viewer: Visitor, node: FakeNode) -> None:
    page = viewer.get("/proxies/").text
    assert f'data-node="{node.address}"' in page
    assert ">ok</span>" in page
    assert f"/monitor/?node={node.address.replace(':', '%3A')}" in page or f"/monitor/?node={node.address}" in page


def test_a_node_is_drained_and_brought_back(
    viewer: Visitor, editor: Visitor, services: Services, node: FakeNode
) -> None:
    refused = editor.post(f"/proxies/{node.address}/drain", {"drained": "true"}, follow_redirects=True).text
    assert "has registered with the store" in refused
    with services.editor._stores.use() as store:
        store.registry.announce(a_node(node.address))
    assert ">Drain</button>" in editor.get("/proxies/").text
    assert ">Drain</button>" not in viewer.get("/proxies/").text
    page = editor.post(f"/proxies/{node.address}/drain", {"drained": "true"}, follow_redirects=True).text
    assert "Drained by" in page
    assert "a-editor" in page
    assert viewer.post(f"/proxies/{node.address}/drain", {"drained": "false"}).status_code == 403
    page = editor.post(f"/proxies/{node.address}/drain", {"drained": "false"}, follow_redirects=True).text
    assert "takes traffic again" in page
    assert ">Drain</button>" in page
