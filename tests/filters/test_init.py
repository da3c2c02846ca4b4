from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gproxy import filters
from gproxy.core.model import Api, normalised
from gproxy.core.snapshot import Hooks
from gproxy.filters import hooks_for


def document(**fields: Any) -> Mapping[str, Any]:
    return normalised(Api.model_validate({"name": "x", "path": "/*", "nodes": [{"cluster": "c"}], **fields}))


class Marked:
    """A filter that writes its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def before(self, exchange: list[str]) -> None:
        exchange.append(self.name)

    def after(self, exchange: Any, head: bytes) -> bytes:
        return head + self.name.encode()


class OnlyAfter:
    """A filter that looks at responses alone."""

    def after(self, exchange: Any, head: bytes) -> bytes:
        return head + b"-"


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return lambda *made: monkeypatch.setattr(filters, "ORDER", tuple(lambda _, it=it: it for it in made))


def test_an_api_without_filters_runs_none() -> None:
    assert hooks_for(document()) == Hooks()


def test_edits_of_headers_are_a_filter() -> None:
    hooks = hooks_for(document(response_headers={"set": {"X-A": "1"}}))
    (after,) = hooks.after
    assert after(None, b"HTTP/1.1 200 OK\r\n") == b"HTTP/1.1 200 OK\r\nX-A: 1\r\n"


def test_requests_go_through_in_order_and_responses_the_other_way_round(order: Callable[..., None]) -> None:
    order(Marked("a"), None, OnlyAfter(), Marked("b"))
    hooks = hooks_for(document())
    exchange: list[str] = []
    for before in hooks.before:
        before(exchange)
    assert exchange == ["a", "b"]
    head = b""
    for after in hooks.after:
        head = after(None, head)
    assert head == b"b-a"
