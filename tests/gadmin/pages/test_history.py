import pytest

from gadmin.services import Services
from tests.gadmin.conftest import Visitor


@pytest.fixture(scope="module", autouse=True)
def some(editor: Visitor) -> None:
    editor.call("PUT", "/servers/u1?comment=first", {"address": "a:1"})
    editor.call("PUT", "/servers/u1", {"address": "a:1", "weight": 7})
    editor.call("PUT", "/clusters/c", {"servers": ["u1"]})


def test_the_list_says_who_changed_what_and_why(viewer: Visitor) -> None:
    page = viewer.get("/history/").text
    assert "first" in page
    assert "+ server u1" in page
    assert "~ server u1" in page
    assert "Roll back" not in page
    assert "cluster c" not in viewer.get("/history/?kind=server").text
    assert viewer.get("/history/?kind=dog&count=x").status_code == 200
    assert "Show more" in viewer.get("/history/?count=2").text


def test_a_write_is_shown_side_by_side(viewer: Visitor) -> None:
    page = viewer.get("/history/2").text
    assert '<td class="plus">weight: 7</td>' in page
    assert "a-editor" in page
    assert viewer.get("/history/0").status_code == 404
    assert viewer.get("/history/99999").status_code == 404


def test_going_back_is_foretold_and_done(editor: Visitor, services: Services) -> None:
    page = editor.get("/history/1/rollback").text
    assert "- weight: 7" in page
    assert "- cluster c" in page
    assert services.configuration.get("cluster", "c") is not None
    assert editor.post("/history/1/rollback", {"_comment": "oops"}).headers["Location"] == "/history/"
    stored = services.configuration.get("server", "u1")
    assert stored is not None
    assert stored.document == {"name": "u1", "address": "a:1"}
    assert services.editor.history(limit=1)[0].comment == "oops"
    assert "already" in editor.get("/history/1/rollback").text
    assert editor.get("/history/99999/rollback").status_code == 404
