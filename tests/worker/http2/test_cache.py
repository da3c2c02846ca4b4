"""Stored answers over HTTP/2: they go the same way as others, and are the same as over HTTP/1.1."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent.event import Event
from h2.errors import ErrorCodes

from tests.worker.cache.origin import FRESH, Origin, ask, counters, origin
from tests.worker.http2.client import Http2Peer
from tests.worker.peer import eventually, response, settled
from tests.worker.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, gproxy={"http2": "all"})
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[Origin]:
    with origin() as made:
        yield made


def connect(stage: Stage) -> Http2Peer:
    return Http2Peer(stage.connect())


def told(client: Http2Peer, number: int) -> str:
    return client.heads[number]["cache-status"].removeprefix("gproxy; ")[:3]


@pytest.mark.parametrize("size", [0, 2, 100_000, 900_000])
def test_an_answer_is_the_same_from_its_server_and_from_the_store(stage: Stage, server: Origin, size: int) -> None:
    server.answer = response(bytes(range(250)) * (size // 250), FRESH, b"X-Own: 1", b"Connection: keep-alive")
    stage.proxy_to(server.address, cache={})
    with connect(stage) as client:
        numbers = [client.request("/x") for _ in range(3)]
        found = [client.wait(number) for number in numbers]
        assert found == [(200, bytes(range(250)) * (size // 250))] * 3
        assert [told(client, number) for number in numbers] == ["fwd", "hit", "hit"]
        for number in numbers:
            head = {name: value for name, value in client.heads[number].items() if name != "cache-status"}
            expected = {":status": "200", "cache-control": "max-age=60", "x-own": "1"}
            assert {name: value for name, value in head.items() if name not in ("age", "date")} == {
                **expected,
                "content-length": str(len(found[0][1])),
            }
    assert len(server.got) == 1


def test_head_and_conditions(stage: Stage, server: Origin) -> None:
    server.answer = response(b"ok", FRESH, b'ETag: "1"')
    stage.proxy_to(server.address, cache={})
    with connect(stage) as client:
        client.wait(client.request("/x"))
        head, known, other = (
            client.request("/x", "HEAD"),
            client.request("/x", if_none_match='"1"'),
            client.request("/x", if_none_match='"2"'),
        )
        assert [client.wait(number) for number in (head, known, other)] == [(200, b""), (304, b""), (200, b"ok")]
        assert client.heads[head]["content-length"] == "2"
        assert "content-length" not in client.heads[known]
        assert client.heads[known]["etag"] == '"1"'
    assert len(server.got) == 1


def test_versions_share_what_is_stored_and_strangers_share_nothing(stage: Stage, server: Origin) -> None:
    server.answer = lambda head: response(head.partition(b"\r\n")[0], FRESH)
    stage.proxy_to(server.address, cache={})
    assert ask(stage).body == b"GET /x HTTP/1.1"
    with connect(stage) as client:
        number = client.request("/x")
        assert client.wait(number)[1] == b"GET /x HTTP/1.1"
        assert told(client, number) == "hit"
        for fields in ({"authorization": "Bearer 1"}, {"range": "bytes=0-1"}, {"cache_control": "no-cache"}):
            number = client.request("/x", **fields)
            client.wait(number)
            assert told(client, number) == "fwd"
        number = client.request("/x?b=1&a=2")
        assert client.wait(number)[1] == b"GET /x?b=1&a=2 HTTP/1.1"
        number = client.request("/x?a=2&b=1")
        assert client.wait(number)[1] == b"GET /x?a=2&b=1 HTTP/1.1"


def test_what_is_stored_is_compressed_for_those_who_take_it(stage: Stage, server: Origin) -> None:
    server.answer = response(b"x" * 50_000, FRESH, b"Content-Type: text/plain", b'ETag: "1"')
    stage.proxy_to(server.address, cache={}, compress={})
    with connect(stage) as client:
        for _ in range(2):
            coded, plain = client.request("/x", accept_encoding="gzip"), client.request("/x")
            assert gzip.decompress(client.wait(coded)[1]) == client.wait(plain)[1] == b"x" * 50_000
            assert client.heads[coded]["etag"] == 'W/"1"'
            assert client.heads[coded]["vary"] == client.heads[plain]["vary"] == "Accept-Encoding"
        number = client.request("/x", accept_encoding="gzip", if_none_match='W/"1"')
        assert client.wait(number) == (304, b"")
    assert len(server.got) == 1


def test_of_many_streams_one_is_forwarded_and_those_that_wait_may_leave(stage: Stage, server: Origin) -> None:
    server.gate = Event()
    stage.proxy_to(server.address, cache={})
    with connect(stage) as client:
        first, second, third = (client.request("/x") for _ in range(3))
        eventually(lambda: server.got)
        client.h2.reset_stream(second, ErrorCodes.CANCEL)
        client.flush()
        settled(stage.requests)
        assert stage.requests() == 1
        server.gate.set()
        assert [client.wait(number) for number in (first, third)] == [(200, b"ok")] * 2
        assert [told(client, number) for number in (first, third)] == ["fwd", "hit"]
        eventually(stage.is_quiet)
    assert len(server.got) == 1


def test_another_stream_is_forwarded_when_the_first_one_is_reset(stage: Stage, server: Origin) -> None:
    server.gate = Event()
    stage.proxy_to(server.address, cache={})
    with connect(stage) as client:
        first, second = client.request("/x"), client.request("/x")
        eventually(lambda: server.got)
        client.h2.reset_stream(first, ErrorCodes.CANCEL)
        client.flush()
        eventually(lambda: len(server.got) == 2)
        server.gate.set()
        assert client.wait(second) == (200, b"ok")
        eventually(stage.is_quiet)
    assert counters(stage) == {"misses": 2, "stored": 1}


def test_a_stream_that_is_reset_in_the_midst_of_an_answer_stores_nothing(stage: Stage, server: Origin) -> None:
    server.answer = response(b"x" * 300_000, FRESH)
    stage.proxy_to(server.address, cache={})
    with connect(stage) as client:
        client.takes = False
        number = client.request("/x")
        while len(client.bodies[number]) < 65_535:
            client.step()
        client.h2.reset_stream(number, ErrorCodes.CANCEL)
        client.flush()
        eventually(stage.is_quiet)
        client.takes = True
        number = client.request("/x")
        assert client.wait(number) == (200, b"x" * 300_000)
        assert told(client, number) == "fwd"
