from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode


def test_each_node_with_its_state(viewer: Visitor, node: FakeNode) -> None:
    page = viewer.get("/proxies/").text
    assert f'data-node="{node.address}"' in page
    assert ">ok</span>" in page
    assert f"/monitor/?node={node.address.replace(':', '%3A')}" in page or f"/monitor/?node={node.address}" in page
