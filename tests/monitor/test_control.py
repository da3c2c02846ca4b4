import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gproxy.core.backends import Endpoint
from gproxy.core.events import Event, Kind, ReloadCause
from gproxy.core.health import Health, Pace, State
from gproxy.core.health_check import Check
from gproxy.monitor.control import Control
from gproxy.monitor.health import Subject
from gproxy.monitor.targets import Target
from gproxy.monitor.watch import Watch
from gproxy.shared import layout
from gproxy.shared.cache import CacheMemory, Owner
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table, now_ms

PAGES = ["/healthz", "/readyz", "/metrics", "/stats", "/events", "/health", "/mirrors"]


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=64)
    made.cells[layout.MASTER_HEARTBEAT] = now_ms()
    yield made
    made.close()


def subjects(*names: str) -> dict[str, Subject]:
    check = Check(Pace(5, 3, 2, 3), None)
    target = {name: Target(name, 0, 1, Endpoint("127.0.0.1", 80, "", None), check, {}) for name in names}
    return {name: Subject(target[name], Health(State.UP, 0), 0) for name in names}


def ask(table: Table, path: str, method: str = "GET", *checked: str) -> tuple[str, dict[str, str], Any]:
    """Return status, headers and JSON body (None when empty) of one question."""
    got: list[Any] = []
    path, _, query = path.partition("?")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    control = Control(table, 1, lambda: subjects(*checked), Watch(table), dict, lambda name: subjects(name)[name])
    body = b"".join(control(environ, lambda status, headers: got.extend((status, dict(headers)))))
    if method != "HEAD":
        assert got[1]["Content-Length"] == str(len(body))
    is_json = got[1]["Content-Type"] == "application/json"
    return got[0], got[1], (json.loads(body) if is_json else body) if body else None


def test_healthz_follows_the_master(table: Table) -> None:
    assert ask(table, "/healthz")[::2] == ("200 OK", {"status": "alive"})
    table.cells[layout.MASTER_HEARTBEAT] = 1
    status, _, body = ask(table, "/healthz")
    assert status == "503 Service Unavailable"
    assert body["status"] == "dead"
    assert "the master has stood still for" in body["reason"]


def test_readyz_gives_its_reason(table: Table) -> None:
    table.cells[layout.WORKERS_WANTED] = 1
    status, headers, body = ask(table, "/readyz")
    assert status == "503 Service Unavailable"
    assert body == {"status": "not_ready", "reason": "0 of 1 workers accept connections"}
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    base = table.base(0)
    table.cells[base + layout.STATE], table.cells[base + layout.VERSION] = layout.STATE_ACCEPTING, 1
    assert ask(table, "/readyz")[::2] == ("200 OK", {"status": "ready"})


def test_stats_is_the_document(table: Table) -> None:
    status, _, body = ask(table, "/stats")
    assert status == "200 OK"
    assert body["pid"] == 1
    assert body["totals"]["requests"] == 0


@pytest.mark.parametrize(
    ("asked", "of_node", "of_worker"), [("", True, False), ("none", False, False), ("all", True, True)]
)
def test_stats_shows_as_much_history_as_is_asked_for(table: Table, asked: str, of_node: bool, of_worker: bool) -> None:
    table.claim(0)
    _, _, body = ask(table, f"/stats?history={asked}" if asked else "/stats")
    assert (body["history"] is not None) is of_node
    (worker,) = body["workers"]
    assert ("history" in worker) is of_worker
    assert worker["latency_ms"]["start"] == {"p50": None, "p95": None, "p99": None}


def test_metrics_are_text(table: Table) -> None:
    status, headers, body = ask(table, "/metrics")
    assert status == "200 OK"
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE gproxy_snapshot_revision gauge\n" in body


def test_events_since_a_number(table: Table) -> None:
    RingWriter(table, table.slots + layout.RING_MASTER).tell(Event(Kind.RELOAD, ReloadCause.DONE))
    _, _, body = ask(table, "/events")
    assert [event["kind"] for event in body["events"]] == ["reload"]
    assert ask(table, f"/events?since={body['last']}")[2]["events"] == []


@pytest.mark.parametrize("path", ["/events?since=x", "/events?since=-1", "/stats?history=some"])
def test_what_cannot_be_asked(table: Table, path: str) -> None:
    status, _, body = ask(table, path)
    assert status == "400 Bad Request"
    assert body["error"]


def test_head_has_the_headers_of_get_and_no_body(table: Table) -> None:
    status, headers, body = ask(table, "/healthz", "HEAD")
    assert (status, body) == ("200 OK", None)
    assert int(headers["Content-Length"]) > 0


def test_health_tells_of_every_server_or_of_those_asked_for(table: Table) -> None:
    for path, names in [
        ("/health", ["a", "b", "c"]),
        ("/health?server=b", ["b"]),
        ("/health?server=c&server=a", ["c", "a"]),
    ]:
        status, _, body = ask(table, path, "GET", "a", "b", "c")
        assert status == "200 OK"
        assert [server["name"] for server in body["servers"]] == names
    assert ask(table, "/health")[2]["servers"] == []
    assert ask(table, "/health?server=x", "GET", "a")[::2] == (
        "404 Not Found",
        {"error": 'no server "x" is checked'},
    )


@pytest.mark.parametrize("path", ["/", "/healthz/", "/metrics/", "/stats/x"])
def test_an_unknown_path_is_404_and_lists_the_pages(table: Table, path: str) -> None:
    status, _, body = ask(table, path)
    assert status == "404 Not Found"
    assert body == {"error": "no such page", "pages": [*PAGES, "/explain", "/check", "/cache/purge"]}


def test_other_methods_are_405(table: Table) -> None:
    status, headers, _ = ask(table, "/stats", "POST")
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "GET, HEAD")


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b'{"url": "/"}', "200 OK", {"url": "/"}),
        (b"[]", "400 Bad Request", {"error": "a question is an object"}),
        (b"{", "400 Bad Request", None),
        (b"[" * 100_000, "400 Bad Request", None),
    ],
)
def test_a_question_about_a_request(table: Table, body: bytes, status: str, told: dict[str, Any] | None) -> None:
    got: list[Any] = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/explain", "wsgi.input": io.BytesIO(body)}
    control = Control(table, 1, dict, Watch(table), dict, lambda name: subjects(name)[name])
    answer = json.loads(b"".join(control(environ, lambda status, headers: got.append(status))))
    assert got == [status]
    if told is not None:
        assert answer.items() >= told.items()


def test_a_server_is_checked_when_somebody_asks_for_it(table: Table) -> None:
    asked: list[str] = []

    def check_now(name: str) -> Subject:
        asked.append(name)
        return subjects(name)[name]

    control = Control(table, 1, lambda: subjects("u1"), Watch(table), dict, check_now)
    for question, status in ((b'{"server": "u1"}', "200 OK"), (b'{"server": "u2"}', "404 Not Found"), (b"{}", None)):
        got: list[Any] = []
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/check", "wsgi.input": io.BytesIO(question)}
        answer = json.loads(b"".join(control(environ, lambda status, headers, got=got: got.append(status))))
        assert got == [status or "404 Not Found"]
        assert ("servers" in answer) is (status == "200 OK")
    assert asked == ["u1"]


def test_stored_answers_are_forgotten(table: Table) -> None:
    memory = CacheMemory.create(1 << 20)
    memory.put(b"k", [b"x"], Owner(0, 0))
    control = Control(table, 1, dict, Watch(table), dict, lambda name: subjects(name)[name], memory)
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/cache/purge", "wsgi.input": io.BytesIO()}
    got: list[str] = []
    body = control(environ, lambda status, headers: got.append(status))
    assert (got, json.loads(b"".join(body))["purged"]) == (["200 OK"], True)
    assert memory.at(b"k") is None
    memory.close()
    status, headers, _ = ask(table, "/cache/purge")
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "POST")


def test_a_question_about_a_request_is_posted(table: Table) -> None:
    status, headers, body = ask(table, "/explain")
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "POST")
    assert body == {"error": "only POST is answered here"}
