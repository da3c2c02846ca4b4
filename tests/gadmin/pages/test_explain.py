import json

from tests.gadmin.conftest import Visitor
from tests.gadmin.fleet.nodes import FakeNode


def test_a_request_is_asked_about_and_nothing_is_lost(viewer: Visitor, node: FakeNode) -> None:
    node.explanation = {
        "request": None,
        "revision": 1,
        "candidates": [{"api": "all", "path": "/*", "hosts": [], "methods": [], "chosen": True, "reason": "matches"}],
        "api": None,
        "answer": {"kind": "proxied"},
    }
    query = {"method": "POST", "url": "http://h/a", "headers": "X-A: 1\n\nX-B:2", "body": "{}", "client_ip": "1.2.3.4"}
    answer = viewer.get("/explain/", query_string=query)
    assert answer.status_code == 200, answer.text
    assert '<a href="/apis/all">all</a>' in answer.text
    assert 'value="1.2.3.4"' in answer.text
    asked = json.loads(next(one for one in node.asked if one.startswith("/explain")).partition(" ")[2])
    assert asked == {
        "method": "POST",
        "url": "http://h/a",
        "headers": [["X-A", "1"], ["X-B", "2"]],
        "body": "{}",
        "client_ip": "1.2.3.4",
    }


def test_what_cannot_be_asked_is_said(viewer: Visitor, node: FakeNode) -> None:
    wrong = viewer.get("/explain/?url=/a&headers=nonsense")
    assert wrong.status_code == 422
    assert "a header field is" in wrong.text
    assert "nonsense" in wrong.text
    node.explanation = {"outcome": "unheard of"}
    assert "of another version" in viewer.get("/explain/?url=/a").text
    assert "there is no node n9" in viewer.get("/explain/?url=/a&node=n9").text
    assert viewer.get("/explain/").status_code == 200
