import re
from html import unescape

import pytest

from gadmin.services import Services
from tests.gadmin.conftest import Visitor

EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module", autouse=True)
def some(editor: Visitor) -> None:
    for path, document in (
        ("/servers/u1", {"address": "10.0.0.1:80", "weight": 2}),
        ("/servers/u2", {"address": "10.0.0.2:80", "status": "drain"}),
        ("/clusters/users", {"servers": ["u1", "u2"]}),
        ("/apis/all", {"path": "/*", "nodes": [{"cluster": "users"}]}),
    ):
        assert editor.call("PUT", path, document).status_code == 201


def inputs(page: str) -> dict[str, str]:
    """Return what a browser would send of the form with the fields of a document, as it was shown."""
    form = re.search(r'<form[^>]*id="object-form".*?</form>', page, re.DOTALL)
    assert form is not None
    found = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        name, value = re.search(r' name="([^"]*)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            found[name[1]] = unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]* name="([^"]*)"[^>]*>(.*?)</textarea>', form[0], re.DOTALL):
        found[name] = unescape(text).removeprefix("\n")
    for name, options in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', form[0], re.DOTALL):
        chosen = re.search(r"<option selected>([^<]*)<", options) or re.search(r"<option[^>]*>([^<]*)<", options)
        found[name] = chosen[1] if chosen else ""
    return found


def test_the_list_is_searched_filtered_and_paged(viewer: Visitor) -> None:
    page = viewer.get("/servers/").text
    assert "10.0.0.1:80" in page
    assert "10.0.0.2:80" in page
    assert "New server" not in page, "a viewer cannot make one"
    assert "10.0.0.1:80" not in viewer.get("/servers/?status=drain").text
    assert "Nothing matches" in viewer.get("/servers/?search=nowhere").text


def test_an_object_shows_its_document_who_uses_it_and_its_changes(viewer: Visitor, editor: Visitor) -> None:
    page = viewer.get("/servers/u1").text
    assert "address: 10.0.0.1:80" in page
    assert 'href="/clusters/users"' in page
    assert "a-editor" in page
    assert "/servers/u1/edit" not in page
    assert "/servers/u1/edit" in editor.get("/servers/u1").text
    assert viewer.get("/servers/none").status_code == 404


@pytest.mark.parametrize("path", ["/servers/u1", "/servers/u2", "/clusters/users", "/apis/all"])
def test_a_form_that_is_saved_as_it_is_changes_nothing(editor: Visitor, services: Services, path: str) -> None:
    revision = services.configuration.revision
    answer = editor.post(f"{path}/edit", inputs(editor.get(f"{path}/edit").text), follow_redirects=True)
    assert answer.status_code == 200
    assert "There was nothing to change." in answer.text
    assert services.configuration.revision == revision


def test_a_new_object_from_the_empty_form(editor: Visitor, services: Services) -> None:
    fields = inputs(editor.get("/servers/+new").text)
    assert fields["weight"] == "1", "defaults are shown"
    answer = editor.post("/servers/+new", {**fields, "address": "10.0.0.9:80", "_comment": "because"})
    assert answer.headers["Location"] == "/servers/10.0.0.9:80"
    stored = services.configuration.get("server", "10.0.0.9:80")
    assert stored is not None
    assert stored.document == {"name": "10.0.0.9:80", "address": "10.0.0.9:80"}
    assert services.editor.history("server", "10.0.0.9:80")[0].comment == "because"
    again = editor.post("/servers/+new", {**fields, "address": "10.0.0.9:80"})
    assert again.status_code == 409, "it is there already"


def test_a_copy_begins_with_everything_but_the_name(editor: Visitor) -> None:
    fields = inputs(editor.get("/servers/+new?from=u1").text)
    assert (fields["name"], fields["address"], fields["weight"]) == ("", "10.0.0.1:80", "2")


def test_problems_stand_beside_their_fields_and_nothing_typed_is_lost(editor: Visitor) -> None:
    fields = {**inputs(editor.get("/servers/u1/edit").text), "weight": "many", "max_qps": "7", "burst": "-1"}
    answer = editor.post("/servers/u1/edit", fields)
    assert answer.status_code == 422
    assert inputs(answer.text) == {**fields, "_comment": ""}
    assert re.search(r'data-problem="weight">must be a whole number, not &#34;many&#34;', answer.text)
    assert re.search(r'data-problem="burst">must be at least 0', answer.text)
    assert "2 to correct" in answer.text


def test_two_editors_see_both_versions(editor: Visitor, services: Services) -> None:
    fields = inputs(editor.get("/servers/u2/edit").text)
    editor.call("PUT", "/servers/u2", {"address": "10.0.0.2:80", "weight": 5})
    answer = editor.post("/servers/u2/edit", {**fields, "weight": "9"})
    assert answer.status_code == 409
    assert "Somebody else saved it first" in answer.text
    assert "weight: 5 -&gt; 9" in answer.text
    assert inputs(answer.text)["weight"] == "9"
    again = editor.post("/servers/u2/edit", inputs(answer.text))
    assert again.status_code == 302
    stored = services.configuration.get("server", "u2")
    assert stored is not None
    assert stored.document["weight"] == 9


def test_what_was_deleted_meanwhile_can_be_made_anew(editor: Visitor, services: Services) -> None:
    editor.call("PUT", "/servers/gone", {"address": "a:1"})
    fields = inputs(editor.get("/servers/gone/edit").text)
    editor.call("DELETE", "/servers/gone")
    answer = editor.post("/servers/gone/edit", fields)
    assert answer.status_code == 409
    assert "was deleted meanwhile" in answer.text
    assert editor.post("/servers/gone/edit", inputs(answer.text)).status_code == 302
    assert services.configuration.get("server", "gone") is not None


def test_rows_come_and_go_without_saving(editor: Visitor, services: Services) -> None:
    revision = services.configuration.revision
    fields = inputs(editor.get("/apis/all/edit").text)
    more = editor.post("/apis/all/edit", {**fields, "path": "/changed", "_add": "request_headers.set"})
    assert "request_headers.set[0].key" in inputs(more.text)
    assert inputs(more.text)["path"] == "/changed"
    less = editor.post("/apis/all/edit", {**inputs(more.text), "_remove": "request_headers.set[0]"})
    assert "request_headers.set[0].key" not in inputs(less.text)
    assert services.configuration.revision == revision


def test_problems_while_one_types(editor: Visitor) -> None:
    answer = editor.post("/servers/+check?name=u1", {"address": "nowhere", "tls.verify": "on"})
    assert list(answer.get_json()["problems"]) == ["address"]
    assert editor.post("/servers/+check", {"address": "a:1", "tls.verify": "on"}).get_json()["problems"] == {}


def test_deleting_says_what_it_affects(editor: Visitor, services: Services) -> None:
    for path, document in (
        ("/servers/x1", {"address": "a:1"}),
        ("/clusters/x", {"servers": ["x1"]}),
        ("/apis/x", {"path": "/x", "nodes": [{"cluster": "x"}]}),
    ):
        editor.call("PUT", path, document)
    page = editor.get("/clusters/x/delete").text
    assert "- api x" in page
    revision = re.search(r'name="_revision" value="(\d+)"', page)
    assert revision is not None
    for wrong in ("x", "", "9" * 5000):
        assert editor.post("/clusters/x/delete", {"_revision": wrong, "force": "true"}).status_code == 409
    refused = editor.post("/clusters/x/delete", {"_revision": revision[1]})
    assert refused.status_code == 409
    assert "is used by api x" in refused.text
    done = editor.post("/clusters/x/delete", {"_revision": revision[1], "force": "true", "_comment": "away"})
    assert done.status_code == 302
    assert services.configuration.get("api", "x") is None
    assert services.editor.history(limit=1)[0].comment == "away"


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("apis", {"path": "/*", "nodes": [{"cluster": "users"}], "request_headers": {"set": {"X-Evil": EVIL}}}),
        ("servers", {"address": "a:1", "health_check": {"expect_body": EVIL}}),
    ],
)
def test_what_somebody_typed_is_never_run(editor: Visitor, kind: str, document: dict[str, object]) -> None:
    answer = editor.call("PUT", f"/{kind}/evil", document, query_string={"comment": EVIL})
    assert answer.status_code == 201, answer.text
    for path in (f"/{kind}/evil", f"/{kind}/evil/edit", f"/{kind}/evil/delete", f"/{kind}/", "/"):
        assert "<img src=x" not in editor.get(path).text, path
    assert "&lt;img src=x" in editor.get(f"/{kind}/evil").text
    problem = editor.post(f"/{kind}/+new", {"name": EVIL, "path": EVIL, "address": EVIL, "_comment": EVIL})
    assert problem.status_code == 422
    assert "<img src=x" not in problem.text
    assert "<img src=x" not in editor.get(f"/{kind}/", query_string={"search": EVIL}).text
    editor.call("DELETE", f"/{kind}/evil")


def test_a_new_api_begins_with_one_node_and_nothing_else(editor: Visitor) -> None:
    fields = inputs(editor.get("/apis/+new").text)
    rows = [name for name in fields if name.endswith("[0]")]
    assert rows == ["nodes[0]", "auth.api_keys.keys[0]"], "what is switched off may have the one row that it would need"
    answer = editor.post("/apis/+new", {**fields, "name": "n1", "path": "/n1", "nodes[0].cluster": "users"})
    assert answer.status_code == 302, answer.text
