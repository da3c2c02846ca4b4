from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode
from tests.harness.waiting import eventually

EVENT = {"kind": "circuit", "object": "server", "name": "u1", "from": "closed", "to": "open",
         "cause": "failures_in_a_row", "figures": {"in_a_row": 5}}  # fmt: skip


def test_events_say_what_changed_and_why(viewer: Visitor, node: FakeNode) -> None:
    node.events.append({"id": 1, "time_ms": 1000, **EVENT})
    node.events.append({"id": 2, "time_ms": 2000, **EVENT, "kind": "health", "name": "<u2>", "to": "down"})
    page = eventually(lambda: next((text for text in [viewer.get("/events/").text] if "u1" in text), ""))
    assert "failures in a row" in page
    assert "in a row 5" in page
    assert '<a href="/servers/u1">' in page
    assert "&lt;u2&gt;" in page
    assert page.index("&lt;u2&gt;") < page.index('"/servers/u1"'), "the latest comes first"


def test_only_those_of_a_kind_or_name(viewer: Visitor, node: FakeNode) -> None:
    assert '"/servers/u1"' not in viewer.get("/events/?kind=health").text
    assert '"/servers/u1"' in viewer.get("/events/?name=u1").text
    assert "Nothing has happened of that kind" in viewer.get("/events/?name=nobody").text
