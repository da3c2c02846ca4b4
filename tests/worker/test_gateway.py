import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from gproxy.shared import layout
from gproxy.worker.access_line import FORMATS
from gproxy.worker.exchange import Exchange
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def code_of(client: Peer, request: bytes = GET) -> tuple[bytes, str]:
    """Send a request and read a problem document: (head, code)."""
    client.send(request)
    head, body = client.message()
    return head, json.loads(body)["code"]


def test_no_configuration_yet(stage: Stage) -> None:
    client = stage.connect()
    head, code = code_of(client)
    assert (head[9:12], code) == (b"503", "no_configuration")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert code_of(client)[1] == "no_configuration"  # and the connection stays


def test_no_route(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1", path="/b")
    client = stage.connect()
    head, code = code_of(client)
    assert (head[9:12], code) == (b"404", "no_route")
    assert code_of(client)[1] == "no_route"


def test_method_not_allowed(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1", methods=["PUT", "GET"])
    client = stage.connect()
    head, code = code_of(client, GET.replace(b"GET", b"DELETE"))
    assert (head[9:12], code) == (b"405", "method_not_allowed")
    assert b"\r\nAllow: GET, HEAD, PUT\r\n" in head


@pytest.mark.parametrize("path", [b"/a/../b", b"/%2e%2e/b", b"/%zz", b"/%00"])
def test_a_path_with_two_readings_is_refused(stage: Stage, path: bytes) -> None:
    stage.proxy_to("127.0.0.1:1")
    client = stage.connect()
    head, code = code_of(client, GET.replace(b"/a", path))
    assert (head[9:12], code) == (b"400", "bad_request")
    assert client.rest() == b""


def test_the_query_is_no_part_of_the_path(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend, path="/a")
        client = stage.connect()
        client.send(GET.replace(b"/a", b"/a?x=/../%zz"))
        assert client.message()[1] == b"ok"


def test_the_body_of_a_refused_request_is_read_over(stage: Stage) -> None:
    client = stage.connect()
    assert code_of(client, b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")[1] == "no_configuration"
    assert code_of(client)[1] == "no_configuration"


def test_a_refused_request_whose_body_is_not_there_ends_the_connection(stage: Stage) -> None:
    client = stage.connect()
    head, _ = code_of(client, b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    assert b"\r\nConnection: close\r\n" in head
    client.send(b"dy" + GET)
    assert client.rest() == b""
    assert stage.requests() == 1


@pytest.mark.parametrize(
    ("lines", "body"),
    [(b"Content-Length: 6\r\n", b""), (b"Transfer-Encoding: chunked\r\n", b"6\r\nabcdef\r\n")],
)
def test_a_body_that_is_too_large(staged: Callable[..., Stage], lines: bytes, body: bytes) -> None:
    stage = staged(limits={"body_bytes": 5})
    stage.proxy_to("127.0.0.1:1")
    client = stage.connect()
    head, code = code_of(client, b"POST /a HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n" + body)
    assert (head[9:12], code) == (b"413", "body_too_large")
    assert client.rest() == b""


def test_the_whole_time_of_a_request_is_limited(stage: Stage) -> None:
    with Backend(lambda peer: peer.rest()) as backend:
        stage.proxy_to(backend, timeouts={"total_s": 0.1})
        head, code = code_of(stage.connect())
        assert (head[9:12], code) == (b"504", "upstream_timeout")
        assert stage.cell(layout.TIMEOUTS) == 1


@pytest.mark.parametrize("ending", [Peer.close, Peer.reset])
def test_a_client_that_leaves_takes_its_request_along(stage: Stage, ending: Callable[[Peer], None]) -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        seen.append(peer.head())
        seen.append(peer.rest())  # ends when the worker has closed the connection

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        eventually(lambda: seen)
        ending(client)
        eventually(lambda: len(seen) == 2)
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == stage.requests() == 1
        assert stage.cell(layout.CONNECTIONS) == 0


def test_a_request_id_of_a_trusted_proxy_is_kept(staged: Callable[..., Stage]) -> None:
    stage = staged(gproxy={"trusted_proxies": "127.0.0.0/8"})
    client = stage.connect()
    head, _ = code_of(client, GET[:-2] + b"X-Request-Id: abc\r\n\r\n")
    assert b"\r\nX-Request-Id: abc\r\n" in head
    head, _ = code_of(client, GET[:-2] + b"X-Request-Id: a b\r\n\r\n")
    assert b"a b" not in head


def test_requests_are_recorded_once_whatever_becomes_of_them(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend, path="/a")
        client = stage.connect()
        for wire in (GET, GET.replace(b"/a", b"/b"), b"bad\r\n\r\n"):
            client.send(wire)
            client.message()
        eventually(stage.is_quiet)
        assert stage.requests() == 3
        assert stage.cell(layout.STATUS_2XX) == 1
        assert stage.cell(layout.STATUS_4XX) == 2
        assert stage.cell(layout.BAD_REQUEST) == 1
        assert stage.cell(layout.ACTIVE) == 0


def test_a_failure_of_the_recording_itself_ends_the_connection(
    staged: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(exchange: Exchange, trusted: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setitem(FORMATS, "json", fail)
    stage = staged(log={"access": tmp_path / "access"})
    client = stage.connect()
    with caplog.at_level(logging.ERROR):
        client.send(GET)
        client.message()
        assert client.rest() == b""
    assert "ZeroDivisionError" in caplog.text
    assert (stage.cell(layout.CONNECTIONS), stage.cell(layout.ACTIVE)) == (0, 0)
