"""The filter of docs/filters.md, run as the text says."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gproxy.core.event_names import described
from gproxy.filters.extra import FilterError
from gproxy.shared.filters import read
from gproxy.shared.rings import RingReader
from gproxy.worker.own_filters import own_filters
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage, settings_with

TEXT = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()
FAULTY = (
    "class Faulty:\n    for_api = classmethod(lambda cls, document: cls())\n    def before(self, exchange): 1 / 0\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (source,) = re.findall(r"(?s)```python\n(.*?)```", TEXT)
    (tmp_path / "beta.py").write_text(source)
    (tmp_path / "faulty_filter.py").write_text(FAULTY)
    return tmp_path


def stage_with(folder: Path, *names: str, **section: object) -> Stage:
    return Stage(folder, filters={"extra": ", ".join(names), "path": folder, **section})


@pytest.fixture
def beta(folder: Path) -> Iterator[Stage]:
    made = stage_with(folder, "beta:Beta")
    yield made
    made.close()


def ask(client: Peer, target: bytes = b"/", *lines: bytes) -> tuple[bytes, bytes]:
    client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (target, b"".join(line + b"\r\n" for line in lines)))
    return client.message()


def echo(peer: Peer) -> None:
    while head := peer.head():
        peer.send(response(head))


def test_the_filter_of_the_documentation(beta: Stage) -> None:
    with Backend(echo) as backend:
        beta.proxy_to(backend, filters={"beta": {"tenants": ["acme"]}})
        client = beta.connect()
        head, seen = ask(client, b"/", b"X-Tenant: acme")
        assert b"X-Beta-Filter: 1\r\n" in head
        assert b"X-Beta: yes\r\n" in seen
        assert b"X-Tenant" not in seen
        head, body = ask(client, b"/beta/ping")
        assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"pong\n")
        assert b"X-Beta-Filter: 1\r\n" in head
        head, body = ask(client, b"/", b"X-Tenant: other")
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert json.loads(body)["code"] == "not_in_beta"
        assert read(beta.table, 0, "beta:Beta").calls == 6


def test_what_it_says_when_a_server_is_too_slow(beta: Stage) -> None:
    with Backend(lambda peer: peer.rest() and None) as backend:
        beta.proxy_to(backend, filters={"beta": {"tenants": [], "open": True}}, timeouts={"response_s": 0.05})
        head, _ = ask(beta.connect())
        assert head.startswith(b"HTTP/1.1 504 ")
        assert b"X-Beta-Hint: try again at night\r\n" in head


def test_an_api_that_does_not_ask_for_it_does_not_get_it(beta: Stage) -> None:
    with Backend(answers(response())) as backend:
        beta.proxy_to(backend)
        head, _ = ask(beta.connect())
        assert b"X-Beta-Filter" not in head
        assert read(beta.table, 0, "beta:Beta").calls == 0


def test_a_faulty_one_rests_and_the_node_hears_of_it(folder: Path) -> None:
    stage = stage_with(folder, "faulty_filter:Faulty", most_errors=2, after_errors="bypass")
    try:
        with Backend(answers(*[response()] * 2)) as backend:
            stage.proxy_to(backend)
            client = stage.connect()
            assert [ask(client)[0][9:12] for _ in range(4)] == [b"500", b"500", b"200", b"200"]
        counts = read(stage.table, 0, "faulty_filter:Faulty")
        assert (counts.calls, counts.errors, counts.workers_without) == (2, 2, 1)
        (told,) = RingReader(stage.table).news()
        assert described(told.event, "x") == {
            "kind": "filter",
            "object": "filter",
            "name": "x",
            "from": "in_service",
            "to": "rests",
            "cause": "errors",
            "figures": {"worker": 0},
        }
    finally:
        stage.close()


def test_one_that_cannot_be_loaded(folder: Path, stage: Stage) -> None:
    assert own_filters(stage.context) == []
    settings = settings_with(folder, {"filters": {"extra": "beta:Gamma", "path": folder}})
    with pytest.raises(FilterError, match="filter beta:Gamma cannot be loaded"):
        own_filters(replace(stage.context, settings=settings))
