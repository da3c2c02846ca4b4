import pytest

from tests.gadmin.conftest import Visitor


@pytest.fixture(scope="module", autouse=True)
def some(editor: Visitor) -> None:
    """A store with two servers, a cluster of them and an API."""
    for path, document in (
        ("/servers/u1", {"address": "10.0.0.1:80", "weight": 2}),
        ("/servers/u2", {"address": "10.0.0.2:80"}),
        ("/clusters/users", {"servers": ["u1", "u2"]}),
        ("/apis/all", {"path": "/*", "nodes": [{"cluster": "users"}], "tags": ["red"]}),
    ):
        assert editor.call("PUT", path, document).status_code == 201


def test_a_list_has_pages_words_and_filters(viewer: Visitor) -> None:
    told = viewer.call("GET", "/servers?limit=1&offset=1").get_json()
    assert (told["total"], told["offset"], [item["name"] for item in told["items"]]) == (2, 1, ["u2"])
    assert viewer.call("GET", "/servers?search=10.0.0.1").get_json()["total"] == 1
    assert viewer.call("GET", "/servers?weight=2").get_json()["items"][0]["name"] == "u1"
    assert viewer.call("GET", "/clusters?servers=u2").get_json()["total"] == 1
    assert viewer.call("GET", "/apis?tags=blue").get_json()["total"] == 0
    assert viewer.call("GET", "/servers?tls.verify=true").get_json()["total"] == 2
    answer = viewer.call("GET", "/servers?wait=2")
    assert (answer.status_code, answer.get_json()["detail"]) == (400, "Unknown parameter wait.")


def test_defaults_are_shown_when_asked_for(viewer: Visitor) -> None:
    assert viewer.call("GET", "/servers/u2").get_json() == {"name": "u2", "address": "10.0.0.2:80"}
    assert viewer.call("GET", "/servers/u2?defaults=true").get_json()["weight"] == 1
    assert viewer.call("GET", "/servers?defaults=true").get_json()["items"][1]["document"]["status"] == "up"


def test_put_creates_and_replaces(editor: Visitor) -> None:
    created = editor.call("PUT", "/servers/p1?comment=new one", {"address": "a:1"})
    assert (created.status_code, created.get_json()["summary"]) == (201, "1 added")
    replaced = editor.call("PUT", "/servers/p1", {"name": "p1", "address": "a:2", "weight": 1})
    told = replaced.get_json()
    assert (replaced.status_code, told["document"]) == (200, {"name": "p1", "address": "a:2"})
    assert replaced.headers["ETag"] == f'"{told["revision"]}"'
    same = editor.call("PUT", "/servers/p1", {"address": "a:2"})
    assert same.get_json()["changes"] == []
    entry = editor.call("GET", "/history?kind=server&name=p1").get_json()["entries"][-1]
    assert (entry["author"], entry["comment"]) == ("a-editor", "new one")


def test_an_etag_keeps_two_editors_from_overwriting_each_other(editor: Visitor) -> None:
    editor.call("PUT", "/servers/e1", {"address": "a:1"})
    tag = editor.call("GET", "/servers/e1").headers["ETag"]
    first = editor.call("PUT", "/servers/e1", {"address": "a:2"}, headers={"If-Match": tag})
    assert first.status_code == 200
    second = editor.call("PUT", "/servers/e1", {"address": "a:3"}, headers={"If-Match": tag})
    told = second.get_json()
    assert (second.status_code, told["code"]) == (412, "conflict")
    assert told["current"]["document"]["address"] == "a:2"
    again = editor.call("PUT", "/servers/e1", {"address": "a:3"}, headers={"If-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert editor.call("DELETE", "/servers/e1", headers={"If-Match": tag}).status_code == 412
    assert editor.call("PUT", "/servers/e1", {"address": "a:4"}, headers={"If-None-Match": "*"}).status_code == 412


def test_all_problems_at_once_and_nothing_is_written(editor: Visitor) -> None:
    answer = editor.call("PUT", "/servers/bad", {"address": "nowhere", "weight": "many", "colour": "red"})
    assert answer.status_code == 422
    assert [problem["path"] for problem in answer.get_json()["problems"]] == [
        "servers[bad].address",
        "servers[bad].weight",
        "servers[bad].colour",
    ]
    assert editor.call("GET", "/servers/bad").status_code == 404


def test_a_name_that_differs_from_its_path_is_a_problem(editor: Visitor) -> None:
    answer = editor.call("PUT", "/servers/one", {"name": "two", "address": "a:1"})
    assert answer.status_code == 422


def test_what_is_used_is_deleted_only_by_force(editor: Visitor) -> None:
    editor.call("PUT", "/servers/d1", {"address": "a:1"})
    editor.call("PUT", "/clusters/d", {"servers": ["d1"]})
    editor.call("PUT", "/apis/d", {"path": "/d", "nodes": [{"cluster": "d"}]})
    refused = editor.call("DELETE", "/servers/d1")
    assert (refused.status_code, refused.get_json()["used_by"]) == (409, [{"kind": "cluster", "name": "d"}])
    planned = editor.call("DELETE", "/clusters/d?force=true&dry_run=true").get_json()
    assert sorted(change["name"] + change["sign"] for change in planned["changes"]) == ["d-", "d-"]
    assert editor.call("DELETE", "/servers/d1?force=true&wait=applied").get_json()["applied"]["done"]
    assert editor.call("GET", "/clusters/d").get_json() == {"name": "d"}
    assert editor.call("DELETE", "/servers/d1").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/servers/..%2F..%2Fetc%2Fpasswd",
        "/servers/%2e%2e",
        "/servers/a%00b",
        "/servers/" + "x" * 5000,
        "/servers/%F0%9F%98%80",
        "/../../etc/passwd",
        "/nothing",
    ],
)
def test_odd_names_find_nothing_and_break_nothing(editor: Visitor, path: str) -> None:
    assert editor.call("GET", path).status_code == 404
    assert editor.call("PUT", path, {"address": "a:1"}).status_code in (404, 405, 422)


@pytest.mark.parametrize("body", ['{"address": "a:1", "weight": 1e999}', '{"address": "\\ud800"}', "null", "1", '"x"'])
def test_odd_bodies_are_refused(editor: Visitor, body: str) -> None:
    answer = editor.client.put(
        "/api/v1/servers/odd",
        data=body,
        content_type="application/json",
        headers={"X-CSRF-Token": "the-secret-of-the-session"},
    )
    assert answer.status_code in (400, 422)
    assert answer.content_type == "application/problem+json"


def test_methods_that_are_not_there(editor: Visitor) -> None:
    answer = editor.call("POST", "/servers/u1", {})
    assert (answer.status_code, answer.get_json()["code"]) == (405, "method_not_allowed")
