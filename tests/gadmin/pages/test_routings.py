from tests.gadmin.conftest import Visitor


def test_a_routing_is_looked_at_with_the_path_of_its_api(editor: Visitor) -> None:
    editor.call("PUT", "/clusters/c", {})
    editor.call("PUT", "/apis/users", {"path": "/users/{id}", "nodes": [{"cluster": "c"}]})
    fields = {"api": "users", "when.all": "$path_id == 7\r\n$cookie_a == b", "_sample_url": "/users/7"}
    page = editor.post("/routings/+preview", fields).text
    assert page.count(">holds<") == 1
    assert page.count(">does not hold<") == 1
    assert "does not apply" in page
    assert 'data-preview="/routings/+preview"' in editor.get("/routings/+new").text
