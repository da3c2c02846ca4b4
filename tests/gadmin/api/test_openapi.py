"""The description is true: every route is in it, and schemathesis finds no answer that it does not describe."""

import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gadmin.accounts.roles import Role
from gadmin.api import openapi
from gadmin.services import Services
from gproxy.core.schema import KINDS, PLURALS
from tests.gadmin.conftest import Visit

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_every_route_is_described_and_nothing_else(app: Flask) -> None:
    served = set()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api_openapi.described":
            plurals = re.search(r"<any\((.*?)\):plural>", rule.rule)
            for plural in plurals[1].split(", ") if plurals else [""]:
                path = re.sub(r"<any\(.*?\):plural>", plural, rule.rule.removeprefix("/api/v1"))
                methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
                served |= {(method.lower(), path.replace("<", "{").replace(">", "}")) for method in methods}
    described = {
        (method, path)
        for path, item in openapi.document()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == served


@pytest.mark.parametrize("kind", KINDS)
def test_documents_are_described_by_the_models_themselves(kind: str) -> None:
    paths = openapi.document()["paths"]
    reference = paths[f"/{PLURALS[kind]}/{{name}}"]["put"]["requestBody"]["content"]["application/json"]["schema"][
        "$ref"
    ]
    schema = openapi.document()["components"]["schemas"][reference.rpartition("/")[2]]
    assert schema["additionalProperties"] is False
    assert "name" not in schema["required"]


SCHEMA = schemathesis.openapi.from_dict(openapi.document())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def token(services: Services, visit: Visit) -> str:
    visit(Role.EDITOR, "schemathesis")
    user = services.accounts.directory.users["schemathesis"]
    return services.accounts.create_token(user, "test", Role.EDITOR, 0, "test")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.label))
def test_answers_are_as_described(operation: Any, app: Flask, token: str) -> None:
    @settings(max_examples=10, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
    @given(operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(app=app, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    ask()
