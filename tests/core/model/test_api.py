from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from tests.core.model.entities import API, problem_of


def test_an_api_with_every_default() -> None:
    edits: dict[str, Any] = {"set": {}, "add": {}, "remove": []}
    assert normalised(MODELS["api"].model_validate(API)) == {
        "name": "all",
        "hosts": [],
        "methods": [],
        "path": "/*",
        "priority": 0,
        "status": "up",
        "preserve_host": True,
        "rewrite": None,
        "request_headers": edits,
        "response_headers": edits,
        "access": None,
        "cors": None,
        "auth": None,
        "rate_limit": None,
        "validation": [],
        "max_concurrency": 0,
        "queue": None,
        "circuit_breaker": None,
        "retry": None,
        "cache": None,
        "timeouts": {"connect_s": None, "response_s": None, "total_s": None},
        "nodes": [
            {
                "cluster": "users",
                "attr": None,
                "batch": 0,
                "rewrite": None,
                "method": None,
                "required": None,
                "timeout_s": 0.0,
                "retry": None,
                "cache": None,
                "select": [],
                "rename": {},
            }
        ],
        "merge": None,
        "default_response": None,
        "mock": False,
        "redirect": None,
        "upgrade": None,
        "compress": None,
        "access_log": None,
        "filters": {},
        "tags": [],
    }


@pytest.mark.parametrize(
    ("kind", "document", "reason"),
    [
        ("api", {**API, "path": "no-slash"}, "path"),
        ("api", {**API, "hosts": ["A.de", "a.de"]}, "listed twice"),
        ("api", {**API, "nodes": []}, "nodes is missing"),
        ("api", {**API, "nodes": [{"cluster": "a"}, {"cluster": "b"}]}, "need names for their parts"),
        ("api", {**API, "request_headers": {"set": {"X": "1"}, "remove": ["x"]}}, "already replaces"),
        ("api", {**API, "request_headers": {"set": {"X": "1", "x": "2"}}}, "listed twice"),
        (
            "api",
            {**API, "request_headers": {"set": {"X": "{path.id}"}}},
            "request_headers.set.X\n  /* has no variable id",
        ),
        ("api", {**API, "response_headers": {"add": {"X": "{body.id}"}}}, "the body of the request is gone"),
        ("api", {**API, "response_headers": {"add": {"X": '{"a": 1}'}}}, "a brace that is only text is written twice"),
        ("api", {**API, "timeouts": {"total_s": -1}}, "greater than or equal to 0"),
    ],
)
def test_refused(kind: str, document: dict[str, Any], reason: str) -> None:
    assert reason in problem_of(kind, document)
