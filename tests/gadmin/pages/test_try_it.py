import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gadmin.pages.try_it import as_text
from gadmin.services import Services
from tests.gadmin.conftest import Visitor
from tests.harness.backend import ScriptedBackend
from tests.store.test_nodes import a_node

PART = {"server": "s1", "address": "h:1", "attempts": 2, "ms": 3.5, "server_ms": 2.0, "code": None, "reason": None}
ALONE = {**PART, "api": "a1", "parts": []}
USER = {**PART, "name": "user", "status": 200, "came": True, "bytes": 9, "headers": [["X-Own", "<b>"]]}
MONEY = {**PART, "name": "money", "status": None, "came": False, "bytes": 0, "headers": [], "reason": "it is late"}
TOGETHER = {**PART, "api": "a1", "server": None, "server_ms": None, "parts": [USER, MONEY]}


@pytest.fixture(scope="module")
def backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend() as made:
        yield made


@pytest.fixture
def api(editor: Visitor, services: Services, backend: ScriptedBackend) -> str:
    """An API, and a node in the store that takes requests where the backend listens."""
    editor.call("PUT", "/clusters/c", {})
    editor.call("PUT", "/apis/a1", {"path": "/a/{id:int}", "nodes": [{"cluster": "c"}]})
    with services.editor._stores.use() as store:
        store.registry.announce(replace(a_node("web-1"), addresses=(f"http://{backend.address}",)))
    return "/apis/a1/try"


def says(told: object, body: bytes) -> bytes:
    line = json.dumps(told).encode()
    return b"HTTP/1.1 200 OK\r\nX-Gateway-Inspection: %b\r\nX: <i>\r\nContent-Length: %d\r\n\r\n%b" % (
        (line, len(body), body)
    )


def test_a_request_to_begin_with_is_shown_and_nothing_sent(editor: Visitor, api: str, backend: ScriptedBackend) -> None:
    page = editor.get(api).text
    assert 'value="http://localhost/a/1"' in page
    assert "<option>web-1</option>" in page
    assert 'href="/apis/a1/try"' in editor.get("/apis/a1").text
    assert backend.heads == []


def test_each_part_of_an_answer_is_shown(editor: Visitor, api: str, backend: ScriptedBackend) -> None:
    backend.play(says(ALONE, b'{"a":1}'))
    given = {"method": "GET", "url": "http://h/a/1", "headers": "X-Own: 7", "node": "web-1"}
    page = editor.post(api, given).text
    assert backend.heads[-1].value("x-own") == "7"
    for part in (
        '<a href="/servers/s1">s1</a>',
        "after 2 attempts",
        "the server took 2.0 ms",
        "&lt;i&gt;",
        "&#34;a&#34;: 1",
    ):
        assert part in page, part
    assert "X-Own: 7" in page, "what was typed stays"


def test_the_parts_of_an_aggregation_are_shown(editor: Visitor, api: str, backend: ScriptedBackend) -> None:
    backend.play(says(TOGETHER, b'{"user":{"id":7},"money":null}'))
    page = editor.post(api, {"method": "GET", "url": "/a/1"}).text
    assert "Part user" in page
    assert "&lt;b&gt;" in page
    assert "it is late" in page
    assert page.count('aria-label="Body of part') == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": "/a", "headers": "nonsense"}, "a header field is"),
        ({"url": "/a", "method": "BAD METHOD"}, "this is no method"),
        ({"url": "/a", "node": "gone"}, "there is no node gone"),
    ],
)
def test_what_cannot_be_sent_is_said(editor: Visitor, api: str, given: dict[str, str], why: str) -> None:
    answer = editor.post(api, given)
    assert answer.status_code == 422
    assert why in answer.text


def test_viewers_send_nothing_and_there_must_be_an_api(viewer: Visitor, editor: Visitor, api: str) -> None:
    assert viewer.get(api).status_code == viewer.post(api).status_code == 403
    assert "/apis/a1/try" not in viewer.get("/apis/a1").text
    assert editor.get("/apis/none/try").status_code == 404


def test_bodies_as_people_read_them() -> None:
    assert as_text(b'{"a": "\xc3\xa4"}') == '{\n  "a": "\u00e4"\n}'
    assert as_text(b"{no json") == "{no json"
    assert as_text(b"\xff\x00") == "2 bytes that are no text"
    assert as_text(b"") == ""
