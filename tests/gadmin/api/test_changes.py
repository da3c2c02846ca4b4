import json
import tomllib

import pytest
import yaml

from tests.gadmin.conftest import Visitor

FILE = {
    "servers": [{"name": "u1", "address": "a:1"}],
    "clusters": [{"name": "users", "servers": ["u1"]}],
    "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]}],
}


@pytest.fixture(autouse=True)
def file_is_applied(editor: Visitor) -> None:
    assert editor.call("POST", "/apply", FILE).status_code == 200


def test_apply_makes_the_store_equal_to_the_file(editor: Visitor) -> None:
    more = {"servers": [{"name": "u1", "address": "a:2"}, {"name": "u2", "address": "a:3"}]}
    planned = editor.call("POST", "/apply?dry_run=true", more).get_json()
    assert (planned["dry_run"], planned["summary"]) == (True, "1 added, 1 changed")
    assert '    ~ address: "a:1" -> "a:2"' in planned["diff"]
    assert editor.call("GET", "/servers/u2").status_code == 404
    done = editor.call("POST", "/apply?comment=go&wait=applied", more).get_json()
    assert done["applied"]["done"]
    assert done["revision"] == planned["revision"] + 1
    assert editor.call("GET", "/clusters/users").status_code == 200, "kinds that are not listed stay"


def test_a_file_may_be_yaml_or_toml(editor: Visitor) -> None:
    headers = {"X-CSRF-Token": "the-secret-of-the-session"}
    for kind, text in (("yaml", yaml.safe_dump(FILE)), ("toml", '[[servers]]\nname = "u1"\naddress = "a:1"\n')):
        answer = editor.client.post("/api/v1/apply", data=text, content_type=f"application/{kind}", headers=headers)
        assert (answer.status_code, answer.get_json()["changes"]) == (200, [])


def test_a_file_that_is_wrong_is_refused_whole(editor: Visitor) -> None:
    wrong = {"servers": [{"name": "u9", "address": "a:1"}, {"name": "u9", "address": "b"}], "server": []}
    answer = editor.call("POST", "/apply", wrong)
    assert answer.status_code == 422
    assert [problem["path"] for problem in answer.get_json()["problems"]] == ["servers[u9]", "file.server"]
    dangling = editor.call("POST", "/apply", {"servers": []})
    assert dangling.get_json()["problems"][0]["path"] == "clusters[users].servers[0]"


def test_export_is_a_file_for_apply_in_each_format(viewer: Visitor) -> None:
    for form, parse in (("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomllib.loads)):
        answer = viewer.call("GET", f"/export?format={form}")
        lists = {key: items for key, items in parse(answer.text).items() if items}
        assert lists == FILE
        assert answer.content_type.startswith(f"application/{form}")
    assert viewer.call("GET", "/export?format=xml").status_code == 400


def test_the_history_of_everything_of_a_kind_and_of_one_object(editor: Visitor) -> None:
    editor.call("PUT", "/servers/h1?comment=first", {"address": "a:1"})
    editor.call("PUT", "/servers/h1", {"address": "a:2"})
    editor.call("DELETE", "/servers/h1")
    of_one = editor.call("GET", "/history?kind=server&name=h1&changes=full").get_json()["entries"]
    assert [entry["summary"] for entry in of_one] == ["1 removed", "1 changed", "1 added"]
    assert of_one[1]["changes"][0]["before"]["address"] == "a:1"
    assert len(editor.call("GET", "/history?limit=1&changes=none").get_json()["entries"]) == 1
    for wrong in ("kind=dog", "name=h1", "limit=0", "changes=some"):
        assert editor.call("GET", f"/history?{wrong}").status_code == 400


def test_rollback_goes_to_a_revision_as_a_new_one(editor: Visitor) -> None:
    before = editor.call("GET", "/export").headers["ETag"].strip('"')
    editor.call("PUT", "/servers/r1", {"address": "a:1"})
    planned = editor.call("POST", "/rollback?dry_run=true", {"revision": int(before)}).get_json()
    assert planned["changes"][0]["sign"] == "-"
    done = editor.call("POST", "/rollback", {"revision": int(before)}).get_json()
    assert done["revision"] > planned["revision"]
    assert editor.call("GET", "/servers/r1").status_code == 404
    assert editor.call("POST", "/rollback", {"revision": 10_000}).status_code == 404
    for wrong in ({}, {"revision": "1"}, {"revision": -1}, {"revision": True}, {"revision": 1, "x": 1}):
        assert editor.call("POST", "/rollback", wrong).status_code == 400


def test_a_comment_is_one_line_of_bounded_length(editor: Visitor) -> None:
    editor.call("PUT", "/servers/c1", {"address": "a:1"}, query_string={"comment": "two\nlines  and\tblanks"})
    assert editor.call("GET", "/history?limit=1").get_json()["entries"][0]["comment"] == "two lines and blanks"
    too_long = editor.call("PUT", "/servers/c1", {"address": "a:2"}, query_string={"comment": "x" * 1001})
    assert too_long.status_code == 400
