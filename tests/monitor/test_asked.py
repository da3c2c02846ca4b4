from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy import settings
from gproxy.core.errors import BadRequest
from gproxy.core.variables import Request
from gproxy.filters import base
from gproxy.monitor.asked import Asked, BadQuestion
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table


@pytest.fixture
def limits() -> Iterator[Limits]:
    table = Table.create(1, rows=4)
    yield Limits(table, 0)
    table.close()


@pytest.fixture
def ask(limits: Limits, tmp_path: Path) -> Any:
    empty = tmp_path / "empty.ini"
    empty.touch()
    loaded = settings.load(empty, {"gproxy": {"trusted_proxies": "10.0.0.0/8"}})
    return lambda **question: Asked.of(question, loaded, limits)


def test_a_url_is_a_target_and_a_host(ask: Any) -> None:
    asked = ask(url="http://A.example:8080/a%2Fb?x=1&y=%20")
    assert (asked.method, asked.target, asked.host()) == (b"GET", b"/a%2Fb?x=1&y=%20", b"a.example")
    assert ask(url="http://a.example").target == b"/"
    assert ask(url="http://h/a").target == b"/a"
    assert ask(url="/a/http://b/c").target == b"/a/http://b/c"
    assert ask(url="/é b").target == b"/%C3%A9%20b"


def test_what_filters_can_ask_of_it(ask: Any) -> None:
    asked = ask(method="POST", url="/", headers=[["X-A", "1"], ["Host", "b"]], body='{"a": 1}', client_ip="192.0.2.1")
    assert (asked.field(b"x-a"), asked.host(), asked.json("")) == (b"1", b"b", {"a": 1})
    assert asked.client_ip() == b"192.0.2.1"
    assert ["X-Forwarded-For", "192.0.2.1"] in asked.sent_headers()
    base.edit(asked, set={"X-A": "2"})
    assert ["X-A", "2"] in asked.sent_headers()


def test_a_trusted_proxy_speaks_for_others(ask: Any) -> None:
    asked = ask(url="/", headers=[["X-Forwarded-For", "192.0.2.1"]], client_ip="10.1.1.1")
    assert asked.client_ip() == b"192.0.2.1"


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"url": 1},
        {"url": "/", "headers": {"A": "1"}},
        {"url": "/", "headers": [["A"]]},
        {"url": "/", "headers": [["A", 1]]},
        {"url": "/", "client_ip": "nobody"},
    ],
)
def test_what_is_no_question(ask: Any, question: dict[str, Any]) -> None:
    with pytest.raises(BadQuestion):
        ask(**question)


@pytest.mark.parametrize(
    "question",
    [
        {"method": "G T", "url": "/"},
        {"method": "É", "url": "/"},
        {"url": "/", "headers": [["A B", "1"]]},
        {"url": "/", "headers": [["A", "1\r\nB: 2"], ["Host", "a"], ["Host", "b"]]},
    ],
)
def test_what_a_worker_would_refuse(ask: Any, question: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        ask(**question)


def test_it_is_what_filters_rely_on(ask: Any) -> None:
    wanted = {
        *base.Exchange.__annotations__,
        *(name for of in (base.Exchange, Request) for name in vars(of) if not name.startswith("_")),
    }
    asked = ask(url="/")
    assert [name for name in wanted if not hasattr(asked, name)] == []
