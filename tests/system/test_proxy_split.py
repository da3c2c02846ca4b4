"""How bytes are cut into packets never changes what they mean, on either side of the gateway."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from tests.harness.backend import ScriptedBackend
from tests.harness.client import RawClient
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.site import Site
from tests.harness.wire import Ended

#: every kind of framing in one pipeline, an empty line before it
STREAM = (
    b"\r\nGET /first?a=b HTTP/1.1\r\nHost: gateway.test\r\nX-Long: " + b"x" * 40 + b"\r\n\r\n"
    b"POST /length HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 11\r\n\r\nhello world"
    b"POST /chunked HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    b'5;a="b"\r\nhello\r\n0006\r\n world\r\n0\r\nX-Sum: 42\r\nX-Other: 1\r\n\r\n'
    b"HEAD /head HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    b"GET /last HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n"
)
METHODS = ("GET", "POST", "POST", "HEAD", "GET")
#: a fault late in the stream: what comes before it is answered
FAULTY = (
    b"GET /first HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    b"POST /chunked HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0x1\r\n!\r\n0\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"
    b"X-Long: " + b"x" * 40 + b"\r\n\r\n5;a=b\r\nhello\r\n0006\r\n world\r\n0\r\nX-Sum: 42\r\nX-Other: 1\r\n\r\n"
)
SAME_GATEWAY = hypothesis.settings(
    max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def places_in(data: bytes) -> strategies.SearchStrategy[set[int]]:
    return strategies.sets(strategies.integers(1, len(data) - 1), max_size=12)


def answers(client: RawClient) -> list[Any]:
    found = []
    for method in METHODS:
        answer = client.receive(method)
        told = answer.json() if answer.body else {}
        found.append((answer.status, told.get("target"), told.get("size"), told.get("sha256")))
    assert client.is_closed()
    return found


def received(echo: EchoBackend) -> list[Any]:
    return [(r.method, r.target, r.body, r.trailers, len(r.head.fields)) for r in echo.requests]


@pytest.fixture(scope="module")
def whole(site: Site) -> tuple[list[Any], list[Any]]:
    """Answers and forwarded requests when the stream is sent in one piece."""
    site.echo.clear()
    with site.gateway.client() as client:
        client.send(STREAM)
        return answers(client), received(site.echo)


@SAME_GATEWAY
@hypothesis.given(places=places_in(STREAM))
def test_any_split_of_a_pipeline_gives_the_same(
    places: set[int], gateway: Gateway, echo: EchoBackend, whole: tuple[list[Any], list[Any]]
) -> None:
    echo.clear()
    with gateway.client() as client:
        client.send_apart(cut(STREAM, places))
        assert (answers(client), received(echo)) == whole


def test_single_bytes_give_the_same(gateway: Gateway, echo: EchoBackend, whole: tuple[list[Any], list[Any]]) -> None:
    echo.clear()
    with gateway.client() as client:
        client.send_apart(cut(STREAM, range(1, len(STREAM))))
        assert (answers(client), received(echo)) == whole


@SAME_GATEWAY
@hypothesis.given(places=places_in(FAULTY))
def test_any_split_of_a_faulty_stream_is_refused_at_the_same_place(
    places: set[int], gateway: Gateway, echo: EchoBackend
) -> None:
    echo.clear()
    with gateway.client() as client:
        client.send_apart(cut(FAULTY, places))
        assert client.receive().json()["target"] == "/first"
        refusal = client.receive()
        assert (refusal.status, refusal.json()["code"]) == (400, "bad_request")
        assert client.is_closed()
    assert [request.target for request in echo.requests] == ["/first"]


@SAME_GATEWAY
@hypothesis.given(places=places_in(ANSWER))
def test_any_split_of_an_answer_gives_the_same(places: set[int], gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(lambda exchange: exchange.send_apart(cut(ANSWER, places)))
    with gateway.client() as client:
        answer = client.get("/", "script.test")
    assert [status for status, _ in answer.interim] == [103]
    assert (answer.status, answer.body, answer.trailers) == (200, b"hello world", ((b"X-Sum", b"42"),))
    assert answer.head.value("x-long") == "x" * 40


@SAME_GATEWAY
@hypothesis.given(length=strategies.integers(0, len(ANSWER) - 1))
def test_an_answer_cut_off_anywhere_is_never_whole(length: int, gateway: Gateway, script: ScriptedBackend) -> None:
    script.play(ANSWER[:length], Exchange.close)
    with gateway.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: script.test\r\nContent-Length: 0\r\n\r\n")
        with suppress(Ended, ConnectionError):
            assert client.receive().status == 502
