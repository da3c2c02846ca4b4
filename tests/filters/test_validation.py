from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gproxy.core.model import MODELS, normalised
from gproxy.core.validation import ValidationFailed
from gproxy.filters.validation import ValidationFilter
from tests.core.asked import Asked

SCHEMA = {"type": "object", "required": ["id"]}


@dataclass
class Exchange(Asked):
    """A request; `threads` counts what is done beside the loop."""

    lines: list[tuple[bytes, bytes]] = field(default_factory=list)
    threads: int = 0

    def field(self, name: bytes) -> bytes | None:
        return next(iter(self.values_of(name)), None)

    def values_of(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.lines if key == name]

    def whole_body(self) -> bytes:
        return self.body

    def aside(self, work: Callable[[], Any]) -> Any:
        self.threads += 1
        return work()


def made(*demands: dict[str, Any], path: str = "/{id}/{other}") -> Any:
    api = {"name": "x", "path": path, "nodes": [{"cluster": "c"}], "validation": list(demands)}
    return ValidationFilter.for_api(normalised(MODELS["api"].model_validate(api)))


def violations(filter: Any, exchange: Exchange) -> list[tuple[str, str, str]]:
    try:
        filter.before(exchange)
    except ValidationFailed as error:
        listed: Any = error.extra["violations"]
        return [(item["in"], item["name"], item["problem"]) for item in listed]
    return []


def test_an_api_without_demands_has_no_filter() -> None:
    assert made() is None


def test_every_place_is_looked_at_and_all_is_told_at_once() -> None:
    demand = {"type": "integer", "required": True}
    filter = made(
        *({"in": place, "name": "n", **demand} for place in ("query", "form", "cookie")),
        {"in": "header", "name": "X-N", **demand},
        {"in": "path", "name": "id", **demand},
    )
    form = (b"content-type", b"application/x-www-form-urlencoded")
    good = Exchange(
        target=b"/7/x?n=1",
        names=("id", "other"),
        values=(b"7", b"x"),
        lines=[form, (b"x-n", b"2"), (b"cookie", b"a=b; n=3")],
        body=b"n=4",
    )
    assert violations(filter, good) == []
    bad = Exchange(target=b"/a/x?n=1&n=b", names=("id",), values=(b"a",), lines=[(b"x-n", b"1"), (b"x-n", b"z")])
    assert violations(filter, bad) == [
        ("query", "n", "must be a whole number"),
        ("form", "n", "is missing"),
        ("cookie", "n", "is missing"),
        ("header", "X-N", "must be a whole number"),
        ("path", "id", "must be a whole number"),
    ]


@pytest.mark.parametrize(
    ("method", "body", "problems"),
    [
        (b"POST", b'{"id": 1}', []),
        (b"POST", b"{}", ['"id" is a required property']),
        (b"GET", b"{}", ['"id" is a required property']),
        (b"POST", b"", ["is missing"]),
        (b"PUT", b"", ["is missing"]),
        (b"GET", b"", []),
        (b"DELETE", b"", []),
    ],
)
def test_a_schema_is_for_requests_that_carry_something(method: bytes, body: bytes, problems: list[str]) -> None:
    found = violations(made({"in": "body", "schema": SCHEMA}), Exchange(method=method, body=body))
    assert [problem for _, _, problem in found] == problems


def test_large_bodies_are_checked_beside_the_loop() -> None:
    exchange = Exchange(method=b"POST", body=json.dumps({"x": "y" * 70_000}).encode())
    assert violations(made({"in": "body", "schema": SCHEMA}), exchange) == [("body", "", '"id" is a required property')]
    assert exchange.threads == 1
    assert violations(made({"in": "body", "name": "id", "required": True}), exchange) == [("body", "id", "is missing")]
