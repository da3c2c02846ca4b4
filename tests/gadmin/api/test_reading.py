from collections.abc import Callable

import pytest
from flask import Flask

from gadmin.api import reading
from gadmin.api.problems import Failure
from gadmin.api.reading import Query
from gproxy.store.base import ABSENT


def failing(app: Flask, work: Callable[[], object], **request: object) -> Failure:
    with app.test_request_context("/api/v1/servers", **request), pytest.raises(Failure) as caught:  # type: ignore[arg-type]
        work()
    return caught.value


def test_parameters_are_read_once_and_strictly(app: Flask) -> None:
    with app.test_request_context("/api/v1/servers?limit=5&force=true&format=toml&search=a b&x.y=1"):
        query = Query()
        assert query.whole("limit", 10, 1, 20) == 5
        assert query.whole("offset", 3, 0, 9) == 3
        assert query.flag("force") is True
        assert query.flag("dry_run") is False
        assert query.one_of("format", ("json", "toml"), "json") == "toml"
        assert query.text("search") == "a b"
        assert query.rest() == {"x.y": "1"}
        query.done()


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "Limit must be a whole number from 1 to 20."),
        ("limit=1e1", "Limit must be"),
        ("limit=" + "9" * 5000, "Limit must be"),
        ("limit=1&limit=2", "Limit is given twice."),
        ("limit=1&more=2", "Unknown parameter more."),
    ],
)
def test_what_is_not_understood_is_said(app: Flask, query: str, detail: str) -> None:
    def work() -> None:
        asked = Query()
        asked.whole("limit", 10, 1, 20)
        asked.done()

    found = failing(app, work, query_string=query)
    assert found.status == 400
    assert found.detail.startswith(detail)


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        ("application/json", '{"a": [1]}', {"a": [1]}),
        ("application/json; charset=utf-8", '"x"', "x"),
        ("application/yaml", "a: [1]", {"a": [1]}),
        ("application/toml", "a = [1]", {"a": [1]}),
    ],
)
def test_bodies_of_each_format(app: Flask, kind: str, data: str, value: object) -> None:
    with app.test_request_context("/api/v1/apply", method="POST", data=data, content_type=kind):
        assert reading.body() == value


@pytest.mark.parametrize(
    ("kind", "data", "status", "detail"),
    [
        ("text/html", "x", 415, "Send application/json"),
        ("", "x", 415, "not a body without type"),
        ("application/json", "{", 400, "The body is not JSON: "),
        ("application/json", '{"a": 1, "a": 2}', 400, 'The body is not JSON: "a" is given twice'),
        ("application/json", b"\xff", 400, "The body is not UTF-8 text (byte 1)"),
        ("application/json", "[" * 200_000, 400, "The body is nested too deeply"),
        ("application/yaml", "[" * 200_000, 400, "The body is not YAML: is nested too deeply"),
        ("application/yaml", "!!python/object:os.system {}", 400, "The body is not YAML"),
    ],
)
def test_bodies_that_cannot_be_read(app: Flask, kind: str, data: bytes | str, status: int, detail: str) -> None:
    found = failing(app, reading.body, method="POST", data=data, content_type=kind)
    assert found.status == status
    assert detail in found.detail


def test_a_document_is_an_object(app: Flask) -> None:
    found = failing(app, reading.document, method="POST", data="[]", content_type="application/json")
    assert found.detail == "The body must be an object."


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"If-Match": '"7"'}, 7),
        ({"If-Match": "*"}, None),
        ({"If-None-Match": "*"}, ABSENT),
    ],
)
def test_the_expected_revision(app: Flask, headers: dict[str, str], expected: int | None) -> None:
    with app.test_request_context("/api/v1/servers/a", method="PUT", headers=headers):
        assert reading.expected_revision() == expected


@pytest.mark.parametrize("tag", ['"x"', 'W/"7"', '"7", "8"', "7.5", '""'])
def test_an_etag_that_is_none_of_ours_matches_nothing(app: Flask, tag: str) -> None:
    assert failing(app, reading.expected_revision, method="PUT", headers={"If-Match": tag}).status == 412
