"""Every answer of the gateway's own: status, `code`, the fields of RFC 9457, and what must not be in it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.client import Answer
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually

FIELDS = {"type", "title", "status", "detail", "code", "request_id"}
CONNECTIONS = 8
LIMITS: dict[str, object] = {
    "body_bytes": 1000,
    "target_bytes": 100,
    "head_bytes": 2000,
    "head_fields": 10,
    "connections": CONNECTIONS,
}


def api(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "path": path, "nodes": [{"cluster": more.pop("cluster", "echo")}], **more}


@pytest.fixture(scope="module")
def echo_backend() -> Iterator[EchoBackend]:
    with EchoBackend() as echo:
        yield echo


@pytest.fixture(scope="module")
def script_backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend() as script:
        yield script


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """An address where connecting is refused."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{reserved.getsockname()[1]}"


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    echo_backend: EchoBackend,
    script_backend: ScriptedBackend,
    refusing: str,
) -> Iterator[Gateway]:
    servers: list[dict[str, Any]] = [
        {"name": "echo", "address": echo_backend.address},
        {"name": "script", "address": script_backend.address},
        {"name": "refusing", "address": refusing},
        {"name": "down", "address": echo_backend.address, "status": "down"},
    ]
    configuration: dict[str, list[dict[str, Any]]] = {
        "servers": servers,
        "clusters": [{"name": server["name"], "servers": [server["name"]]} for server in servers],
        "apis": [
            api("open", "/open/*"),
            api("reading", "/reading", methods=["GET"]),
            api("writing", "/writing", methods=["POST", "PUT"]),
            api("switched-off", "/switched-off", status="down"),
            api("script", "/script", cluster="script", timeouts={"response_s": 0.2}),
            api("refusing", "/refusing", cluster="refusing"),
            api("no-server", "/no-server", cluster="down"),
            api("one-host", "/host", hosts=["only.test"]),
        ],
    }
    settings: dict[str, dict[str, object]] = {"limits": LIMITS, "timeouts": {"head_s": 0.5, "body_s": 0.5}}
    with Gateway(tmp_path_factory.mktemp("problems"), configuration, settings) as gateway:
        yield gateway


@pytest.fixture
def echo(echo_backend: EchoBackend) -> EchoBackend:
    echo_backend.clear()
    return echo_backend


@pytest.fixture
def script(script_backend: ScriptedBackend) -> ScriptedBackend:
    script_backend.forget()
    return script_backend


def check_problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.head.value("content-type") == "application/problem+json"
    assert answer.head.value("content-length") == str(answer.size)
    problem = answer.json()
    assert set(problem) == FIELDS
    assert (problem["status"], problem["code"]) == (status, code)
    assert all(isinstance(problem[name], str) and problem[name] for name in FIELDS - {"status"})
    assert problem["request_id"] == answer.head.value("x-request-id")
    for revealing in ("Traceback", "127.0.0.1", "Errno", ".py"):
        assert revealing not in answer.body.decode()
    return dict(problem)


REQUEST = "{} {} HTTP/1.1\r\nHost: gateway.test\r\n{}\r\n"
#: name: (status, code, does the connection close, request)
CASES: dict[str, tuple[int, str, bool, str]] = {
    "no_route": (404, "no_route", False, REQUEST.format("GET", "/nothing", "")),
    "no_route_switched_off": (404, "no_route", False, REQUEST.format("GET", "/switched-off", "")),
    "no_route_other_host": (404, "no_route", False, REQUEST.format("GET", "/host", "")),
    "method_not_allowed": (405, "method_not_allowed", False, REQUEST.format("DELETE", "/reading", "")),
    "bad_request": (400, "bad_request", True, REQUEST.format("GET", "/open/%", "")),
    "body_too_large": (413, "body_too_large", True, REQUEST.format("POST", "/open/", "Content-Length: 1001\r\n")),
    "body_too_large_chunked": (
        413,
        "body_too_large",
        True,
        REQUEST.format("POST", "/open/", "Transfer-Encoding: chunked\r\n") + "3e9\r\n" + "x" * 1001 + "\r\n0\r\n\r\n",
    ),
    "target_too_long": (414, "target_too_long", True, REQUEST.format("GET", "/open/" + "a" * 100, "")),
    "expectation_failed": (417, "expectation_failed", True, REQUEST.format("GET", "/open/", "Expect: x\r\n")),
    "head_too_large": (431, "head_too_large", True, REQUEST.format("GET", "/open/", f"X-A: {'a' * 2000}\r\n")),
    "head_too_many_fields": (431, "head_too_large", True, REQUEST.format("GET", "/open/", "X-A: 1\r\n" * 10)),
    "head_timeout": (408, "request_timeout", True, "GET /open/ HTTP/1.1\r\n"),
    "body_timeout": (408, "request_timeout", True, REQUEST.format("POST", "/open/", "Content-Length: 9\r\n")),
    "connect_refused": (502, "bad_upstream", False, REQUEST.format("GET", "/refusing", "")),
    "no_server": (503, "no_server", False, REQUEST.format("GET", "/no-server", "")),
}


@pytest.mark.parametrize("case", CASES)
def test_problem(case: str, gateway: Gateway, echo: EchoBackend) -> None:
    status, code, closes, request = CASES[case]
    with gateway.client() as client:
        client.send(request.encode())
        check_problem(answer := client.receive(), status, code)
        if closes:
            assert answer.head.value("connection") == "close"
            assert client.is_closed()
        else:
            assert client.get("/open/after").status == 200
            assert [request.target for request in echo.requests] == ["/open/after"]
    if closes:
        assert echo.requests == []


def test_a_server_that_answers_garbage(gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(b"garbage\r\n\r\n", Exchange.close)
    with gateway.client() as client:
        problem = check_problem(client.get("/script"), 502, "bad_upstream")
    assert "garbage" not in problem["detail"]


def test_a_server_that_does_not_answer(gateway: Gateway, script: ScriptedBackend) -> None:
    with gateway.client() as client:
        check_problem(client.get("/script"), 504, "upstream_timeout")
    script.next_exchange().finish()


@pytest.mark.parametrize(
    ("target", "status"),
    [("/nothing", 404), ("/no-server", 503), ("/refusing", 502), ("/writing", 405), ("/open/%", 400)],
)
def test_head_gets_the_same_fields_without_body(target: str, status: int, gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(f"HEAD {target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode())
        answer = client.receive("HEAD")
        assert answer.status == status
        assert answer.head.value("content-type") == "application/problem+json"
        assert int(answer.head.value("content-length") or 0) > 0
        assert answer.head.value("x-request-id")
        if status != 400:
            assert client.get("/open/after").status == 200
        else:
            assert client.is_closed()


def test_http10_clients_get_problems_too(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(b"GET /nothing HTTP/1.0\r\n\r\n")
        check_problem(client.receive(), 404, "no_route")
        assert client.is_closed()


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/reading", {"GET", "HEAD"}),
        ("GET", "/writing", {"POST", "PUT"}),
        ("HEAD", "/writing", {"POST", "PUT"}),
    ],
)
def test_405_names_the_methods(method: str, target: str, allowed: set[str], gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode())
        answer = client.receive(method)
        assert answer.status == 405
        assert set((answer.head.value("allow") or "").split(", ")) == allowed


def test_503_says_when_to_come_back(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.get("/no-server")
        assert int(answer.head.value("retry-after") or 0) >= 1


def test_a_refused_request_with_body_leaves_the_connection_in_order(gateway: Gateway) -> None:
    """The body of a request that has no route is not taken for the next request."""
    hidden = "GET /open/hidden HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    with gateway.client() as client:
        client.send(REQUEST.format("POST", "/nothing", f"Content-Length: {len(hidden)}\r\n").encode() + hidden.encode())
        check_problem(answer := client.receive(), 404, "no_route")
        if answer.head.value("connection") == "close":
            assert client.is_closed()
        else:
            assert client.get("/open/after").json()["target"] == "/open/after"


def test_a_body_that_fits_passes(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.post("/open/", b"x" * 1000).json()["size"] == 1000
        client.send(REQUEST.format("POST", "/open/", "Transfer-Encoding: chunked\r\n").encode())
        client.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n")
        assert client.receive().json()["size"] == 1000


def test_a_refusal_reaches_a_client_that_is_still_sending(gateway: Gateway, echo: EchoBackend) -> None:
    with gateway.client() as client:
        client.send(REQUEST.format("POST", "/open/", "Content-Length: 900000\r\n").encode(), b"x" * 900_000)
        check_problem(client.receive(), 413, "body_too_large")
    assert echo.heads == []


def test_too_many_connections(gateway: Gateway) -> None:
    def is_back() -> bool:
        with gateway.client() as late:
            return late.get("/open/").status == 200

    eventually(lambda: gateway.stats()["totals"]["connections"] == 0, about="earlier tests' connections are over")
    with ExitStack() as opened:
        clients = [opened.enter_context(gateway.client()) for _ in range(CONNECTIONS)]
        assert all(client.get("/open/").status == 200 for client in clients)
        one_too_many = opened.enter_context(gateway.client())
        one_too_many.send(REQUEST.format("GET", "/open/", "").encode())
        answer = one_too_many.receive()
        check_problem(answer, 503, "overloaded")
        assert int(answer.head.value("retry-after") or 0) >= 1
        assert one_too_many.is_closed()
        assert all(client.get("/open/").status == 200 for client in clients)
    eventually(is_back, about="places are free again")


def test_before_there_is_a_configuration(tmp_path: Path, echo: EchoBackend) -> None:
    """The store is unusable from the start: no route can be said to exist or not; later it is repaired."""
    store = tmp_path / "gateway.db"
    store.write_bytes(b"this is no database")
    with Gateway(tmp_path, None) as empty, empty.client() as client:
        check_problem(client.get("/"), 503, "no_configuration")
        store.unlink()
        empty.apply(documents({"echo": echo.address}))
        assert client.get("/now").json()["target"] == "/now"


def test_an_empty_configuration_has_no_routes(tmp_path: Path) -> None:
    with Gateway(tmp_path, None) as empty, empty.client() as client:
        check_problem(client.get("/"), 404, "no_route")
