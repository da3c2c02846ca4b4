import pytest

from gadmin.pages.apis import sample
from tests.gadmin.conftest import Visitor


@pytest.mark.parametrize(
    ("document", "method", "url"),
    [
        ({"path": "/users/{id:int}/{name}/{state:on|off}"}, "GET", "http://localhost/users/1/x/on"),
        ({"path": "/static/*", "methods": ["POST", "PUT"]}, "POST", "http://localhost/static/"),
        ({"path": "~^/v(\\d+)/", "hosts": ["*.example.com"]}, "GET", "http://any.example.com/"),
        ({}, "GET", "http://localhost/"),
    ],
)
def test_a_request_that_an_api_is_meant_for(document: dict[str, object], method: str, url: str) -> None:
    assert sample(document) == {"method": method, "url": url}


def test_an_api_leads_to_its_explanation(editor: Visitor) -> None:
    editor.call("PUT", "/clusters/c", {})
    editor.call("PUT", "/apis/a1", {"path": "/a1", "nodes": [{"cluster": "c"}]})
    assert "/explain/?method=GET&amp;url=http://localhost/a1" in editor.get("/apis/a1").text
    assert '<span class="mono breaks">/a1</span>' in editor.get("/apis/").text
