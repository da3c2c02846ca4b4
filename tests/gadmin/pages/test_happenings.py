import time
from collections.abc import Iterator

import pytest

from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode


@pytest.fixture(autouse=True)
def events(node: FakeNode) -> Iterator[None]:
    at_ms = int(time.time() * 1000) - 60_000
    common = {"kind": "circuit", "cause": "consecutive_failures", "figures": {"failures": 5}}
    for number, (thing, name, before, after) in enumerate(
        [("server", "h1", "closed", "open"), ("api", "h1", "closed", "open"), ("server", "h1", "open", "half_open")], 1
    ):
        moved = {"from": before, "to": after, "object": thing, "name": name}
        node.events.append({"id": number, "time_ms": at_ms + number, **moved, **common})
    yield
    node.events.clear()


def test_what_happened_is_listed_and_drawn(viewer: Visitor, editor: Visitor) -> None:
    editor.call("PUT", "/servers/h1", {"address": "a:1"})
    editor.call("PUT", "/clusters/c", {})
    editor.call("PUT", "/apis/h1", {"path": "/h1", "nodes": [{"cluster": "c"}]})
    page = viewer.get("/servers/h1").text
    assert "closed, open, half open" in page
    assert page.count("consecutive failures, failures 5") == 2
    page = viewer.get("/apis/h1").text
    assert "closed, open" in page
    assert "half open" not in page
