import time
from collections.abc import Iterator

import pytest
from flask import Flask
from jinja2 import Environment

from gadmin.app import MOST_BODY_BYTES, WEB
from gadmin.configuration.editor import Editor, Signature
from gadmin.security.guard import MOST_FORM_BYTES
from gadmin.services import Services
from gproxy.store.base import Entry
from tests.gadmin.conftest import Visit, Visitor


def test_every_template_is_well_formed(app: Flask) -> None:
    environment: Environment = app.jinja_env
    names = environment.list_templates()
    assert "base.html" in names
    for name in names:
        environment.get_template(name)


def test_pages_run_no_script_of_their_own_and_load_nothing_from_elsewhere() -> None:
    for path in WEB.rglob("*.html"):
        text = path.read_text()
        assert " style=" not in text, path
        assert " onclick" not in text, path
        assert text.count("<script") == text.count('<script type="module" src='), path
    for path in (WEB / "static").rglob("*"):
        if path.suffix in (".css", ".js") and "vendor" not in path.parts:
            text = path.read_text()
            assert "http://" not in text.replace("http://www.w3.org", ""), path
            assert "https://" not in text, path


def test_errors_are_pages_for_people_and_documents_for_programs(viewer: Visitor) -> None:
    page, told = viewer.get("/nowhere"), viewer.get("/api/v1/nowhere")
    assert (page.status_code, told.status_code) == (404, 404)
    assert "Not found" in page.text
    assert told.get_json()["code"] == "not_found"


def test_a_failure_tells_nothing_of_the_inside(
    viewer: Visitor, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[Entry]:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(Editor, "history", fail)
    for path in ("/", "/api/v1/history"):
        answer = viewer.get(path)
        assert answer.status_code == 500
        assert "a secret of the inside" not in answer.text
        assert "Traceback" not in answer.text


def test_what_is_too_large_is_refused(editor: Visitor) -> None:
    answer = editor.post("/servers/+new", {"address": "x" * (MOST_FORM_BYTES + 1)})
    assert answer.status_code == 413
    told = editor.call("POST", "/apply", {}, environ_overrides={"CONTENT_LENGTH": str(MOST_BODY_BYTES + 1)})
    assert (told.status_code, told.get_json()["code"]) == (413, "too_large")


def test_files_are_served_from_their_folder_only(visit: Visit) -> None:
    for path in ("../templates/base.html", "%2e%2e/templates/base.html", "..%2ftemplates/base.html"):
        assert visit().get(f"/static/{path}").status_code == 404


@pytest.fixture(scope="module")
def many(services: Services) -> Iterator[Services]:
    """A store with ten thousand APIs."""
    apis = [{"name": f"api-{number}", "path": f"/p/{number}", "nodes": [{"cluster": "c"}]} for number in range(10_000)]
    objects = {
        "server": {"u": {"name": "u", "address": "a:1"}},
        "cluster": {"c": {"name": "c", "servers": ["u"]}},
        "api": {str(api["name"]): api for api in apis},
    }
    before = services.configuration.revision
    services.editor.apply(objects, Signature("test"))
    yield services
    services.editor.rollback(before, Signature("test"))


@pytest.mark.serial
def test_pages_are_quick_with_ten_thousand_apis(many: Services, editor: Visitor) -> None:
    took = {}
    lists = ("/apis/", "/apis/?search=api-777", "/apis/?offset=9950", "/clusters/")
    for path in ("/", *lists, "/clusters/c", "/apis/api-7", "/apis/api-7/edit"):
        editor.get(path)
        best = min(_seconds(editor, path) for _ in range(3))
        took[path] = round(best * 1000)
    assert max(took.values()) < 200, took


def _seconds(visitor: Visitor, path: str) -> float:
    began = time.perf_counter()
    assert visitor.get(path).status_code == 200
    return time.perf_counter() - began
