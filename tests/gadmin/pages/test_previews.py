from tests.gadmin.conftest import Visitor


def test_an_api_is_looked_at_while_it_is_typed(editor: Visitor, viewer: Visitor) -> None:
    fields = {"path": "/u/{id}", "nodes[0]": "on", "nodes[0].cluster": "c", "nodes[0].rewrite": "/x/{path.id}"}
    page = editor.post("/apis/+preview", {**fields, "_sample_url": "/u/<7>"}).text
    assert "/x/%3C7%3E" in page
    assert "{path.id} &lt;7&gt;" in page
    assert "a header field is" in editor.post("/apis/+preview", {**fields, "_sample_headers": "x"}).text
    assert viewer.post("/apis/+preview", fields).status_code == 403
    assert 'data-preview="/apis/+preview"' in editor.get("/apis/+new").text


def test_nothing_typed_is_no_failure(editor: Visitor) -> None:
    assert editor.post("/apis/+preview").status_code == 200
    assert editor.post("/routings/+preview").status_code == 200
