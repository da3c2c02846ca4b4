"""What is stored of an answer on its way, and when a stored one is given in its place."""

from __future__ import annotations

import pytest

from tests.worker.cache.origin import CHUNKED, FRESH, Clock, Origin, ask, counters, origin
from tests.worker.peer import Backend, Peer, eventually, response
from tests.worker.stage import Stage


def test_a_stale_answer_is_confirmed_by_its_server(stage: Stage, server: Origin, clock: Clock) -> None:
    server.answer = response(b"ok", FRESH, b'ETag: "1"', b"X-Version: 1")
    stage.proxy_to(server.address, cache={})
    ask(stage)
    server.answer = b'HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=100\r\nX-Version: 2\r\nETag: "1"\r\n\r\n'
    clock.advance(61)
    seen = ask(stage, b'If-None-Match: "0"')
    assert (seen.status, seen.body, seen.fields["x-version"]) == (200, b"ok", "2")
    assert seen.told == "fwd=stale; fwd-status=304"
    assert server.said()["if-none-match"] == '"1"'
    clock.advance(90)
    assert ask(stage).told == "hit; ttl=9"
    clock.advance(10)
    server.answer = response(b"new", FRESH)
    assert [ask(stage).body for _ in range(2)] == [b"new", b"new"]
    assert len(server.got) == 3
    assert counters(stage) == {"hits": 2, "misses": 3, "stored": 2, "revalidated": 1}
    assert len(stage.runtime.pools) == 1
    assert next(iter(stage.runtime.pools.values())).open == 1  # the connection is as good as before


def test_an_answer_without_a_body_needs_no_length(stage: Stage, server: Origin) -> None:
    server.answer = b"HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n\r\n"
    stage.proxy_to(server.address, cache={})
    assert [(seen.status, seen.told) for seen in (ask(stage), ask(stage))] == [
        (204, "fwd=uri-miss; stored"),
        (204, "hit; ttl=59"),
    ]


def test_no_cache_means_that_the_server_is_always_asked(stage: Stage, server: Origin) -> None:
    server.answer = response(b"ok", b"Cache-Control: no-cache", b'ETag: "1"')
    stage.proxy_to(server.address, cache={"stale_if_error_s": 100})
    assert ask(stage).told == "fwd=uri-miss; stored"
    server.answer = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    assert ask(stage).told == "fwd=stale; fwd-status=304"
    server.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    assert ask(stage).status == 503


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "status 503"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "status 500"),
        (b"HTTP/1.1 200", "bad_upstream"),
        (b"", "bad_upstream"),
    ],
)
def test_a_stale_answer_stands_in_for_a_server_that_fails(
    stage: Stage, server: Origin, clock: Clock, answer: bytes, why: str
) -> None:
    breaker = {"consecutive_failures": 2, "open_s": 60}
    stage.proxy_to(server.address, cache={"stale_if_error_s": 30}, circuit_breaker=breaker)
    ask(stage)
    clock.advance(70)

    def failing(head: bytes) -> bytes:
        return answer

    server.answer = failing
    if answer == b"HTTP/1.1 200":
        server.answer = lambda head: answer + b"\r\nbroken\r\n\r\n"
    seen = ask(stage)
    assert (seen.status, seen.body, seen.fields["age"]) == (200, b"ok", "70")
    assert seen.told == f'hit; ttl=-10; detail="{why}"'
    assert counters(stage)["stale"] == 1
    clock.advance(25)
    assert ask(stage).status >= 500
    assert stage.is_quiet()


def test_a_stale_answer_stands_in_for_a_server_that_is_away(stage: Stage, clock: Clock) -> None:
    with origin() as server:
        address = server.address
        stage.proxy_to(address, cache={"stale_if_error_s": 30}, timeouts={"connect_s": 1})
        ask(stage)
    clock.advance(61)
    assert ask(stage).told == 'hit; ttl=-1; detail="bad_upstream"'
    for control in (b"must-revalidate", b"proxy-revalidate", b"s-maxage=60"):
        with origin(response(b"ok", b"Cache-Control: max-age=60, stale-if-error=60, " + control)) as server:
            stage.proxy_to(server.address, cache={"stale_if_error_s": 30, "version": 2})
            ask(stage, target=b"/" + control)
        clock.advance(61)
        assert ask(stage, target=b"/" + control).status == 502


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        response(b"abcde", FRESH),
    ],
)
def test_bodies_of_every_framing_are_stored_whole(stage: Stage, server: Origin, answer: bytes) -> None:
    server.answer = answer
    stage.proxy_to(server.address, cache={})
    with stage.connect() as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert client.rest().endswith(b"abcde")
    with stage.connect() as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert client.rest().endswith(b"abcde")
    assert len(server.got) == 1


def test_an_answer_that_breaks_off_is_not_stored(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhal")
        peer.close()

    with Backend(script) as backend:
        stage.proxy_to(backend, cache={})
        for _ in range(2):
            with stage.connect() as client:
                client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                assert b"fwd=uri-miss; stored" in client.head()
        eventually(lambda: len(backend.peers) == 2)
        eventually(stage.is_quiet)
    assert "stored" not in counters(stage)


def test_what_is_too_large_passes_and_nobody_waits_for_it(stage: Stage, server: Origin) -> None:
    server.answer = response(b"x" * 200_000, FRESH)
    stage.proxy_to(server.address, cache={"max_bytes": 100_000})
    assert ask(stage).told == 'fwd=uri-miss; detail="too large"'
    server.answer = CHUNKED + b"%x\r\n%b\r\n" % (60_000, b"y" * 60_000) * 2 + b"0\r\n\r\n"
    with stage.connect() as client:
        client.send(b"GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
        client.head()
        assert len(client.chunked_body()[0]) == 120_000
    assert counters(stage) == {"misses": 2}
