"""What clients get where answers are stored: a real worker, real connections, a clock that can be moved on."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.worker.cache.origin import FRESH, Clock, Origin, ask, counters, fields_of
from tests.worker.peer import eventually, response
from tests.worker.stage import Stage


def test_an_answer_is_given_again_while_it_is_fresh(stage: Stage, server: Origin, clock: Clock) -> None:
    stage.proxy_to(server.address, cache={})
    first, second = ask(stage), ask(stage)
    assert (first.status, first.body, first.told) == (200, b"ok", "fwd=uri-miss; stored")
    assert (second.status, second.body, second.fields["age"]) == (200, b"ok", "0")
    assert second.told == "hit; ttl=59"
    assert "date" in second.fields
    clock.advance(30)
    assert ask(stage).fields["age"] == "30"
    assert len(server.got) == 1
    clock.advance(31)
    assert ask(stage).told == "fwd=stale; stored"
    assert len(server.got) == 2
    assert counters(stage) == {"hits": 2, "misses": 2, "stored": 2}


def test_head_is_answered_from_an_answer_to_get(stage: Stage, server: Origin) -> None:
    stage.proxy_to(server.address, cache={})
    assert ask(stage, method=b"HEAD").told == "fwd=method"
    ask(stage)
    seen = ask(stage, method=b"HEAD")
    assert (seen.fields["content-length"], seen.body) == ("2", b"")
    assert seen.told.startswith("hit")
    assert [head.split()[0] for head in server.got] == [b"HEAD", b"GET"]


@pytest.mark.parametrize(
    ("lines", "asked", "reason"),
    [
        ((b"Cache-Control: no-store, max-age=60",), (), "no-store"),
        ((b"Cache-Control: private, max-age=60",), (), "private"),
        ((FRESH, b"Set-Cookie: sid=1"), (), "sets a cookie"),
        ((FRESH, b"Vary: *"), (), "Vary: *"),
        ((FRESH,), (b"Authorization: Bearer a",), "for one client"),
        ((), (), "does not say for how long"),
    ],
)
def test_what_is_not_stored(
    stage: Stage, server: Origin, lines: tuple[bytes, ...], asked: tuple[bytes, ...], reason: str
) -> None:
    server.answer = response(b"ok", *lines)
    stage.proxy_to(server.address, cache={})
    for number in (1, 2):
        assert ask(stage, *asked).told == f'fwd=uri-miss; detail="{reason}"'
        assert len(server.got) == number


def test_answers_that_vary_lie_beside_each_other(stage: Stage, server: Origin) -> None:
    server.answer = lambda head: response(fields_of(head).get("accept", "-").encode(), FRESH, b"Vary: Accept, X-Not")
    stage.proxy_to(server.address, cache={})
    for _ in range(2):
        for media in (b"text/a", b"text/b"):
            assert ask(stage, b"Accept: " + media).body == media
        assert ask(stage).body == b"-"
    assert len(server.got) == 3
    assert ask(stage, b"X-Not: 1").told == "fwd=uri-miss; stored"
    assert ask(stage, method=b"DELETE").status == 200  # all of them are gone
    assert ask(stage).told == "fwd=uri-miss; stored"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"Range: bytes=0-1", "fwd=bypass"),
        (b"Cache-Control: no-store", "fwd=bypass"),
        (b"X-HTTP-Method-Override: DELETE", "fwd=bypass"),
        (b"X-Original-URL: /admin", "fwd=bypass"),
        (b"Cache-Control: no-cache", "fwd=request; stored"),
        (b"Pragma: no-cache", "fwd=request; stored"),
        (b"Cache-Control: max-age=0", "fwd=request; stored"),
        (b"Cache-Control: min-fresh=100", "fwd=request; stored"),
    ],
)
def test_clients_who_want_it_from_the_server(
    stage: Stage, server: Origin, clock: Clock, line: bytes, told: str
) -> None:
    stage.proxy_to(server.address, cache={})
    ask(stage)
    clock.advance(1)
    assert ask(stage, line).told == told
    assert len(server.got) == 2
    stage.proxy_to(server.address, cache={"obey_clients": False})
    if told != "fwd=bypass":
        assert ask(stage, line).told.startswith("hit")


def test_only_if_cached(stage: Stage, server: Origin) -> None:
    stage.proxy_to(server.address, cache={}, default_response={"status": 200, "body": "another"})
    assert ask(stage, b"Cache-Control: only-if-cached").status == 504
    ask(stage)
    assert ask(stage, b"Cache-Control: only-if-cached").body == b"ok"
    assert len(server.got) == 1


def test_a_client_that_has_it_already_is_told_so(stage: Stage, server: Origin) -> None:
    server.answer = response(b"ok", FRESH, b'ETag: "1"', b"Last-Modified: Mon, 23 Nov 2026 07:29:36 GMT")
    stage.proxy_to(server.address, cache={})
    ask(stage)
    for line in (b'If-None-Match: "0", W/"1"', b"If-Modified-Since: Mon, 23 Nov 2026 07:29:36 GMT"):
        seen = ask(stage, line)
        assert (seen.status, seen.body, seen.fields["etag"]) == (304, b"", '"1"')
        assert "content-length" not in seen.fields
    assert ask(stage, b'If-None-Match: "2"').status == 200
    assert len(server.got) == 1


def test_unsafe_methods_forget_what_is_stored(stage: Stage, server: Origin) -> None:
    stage.proxy_to(server.address, cache={})
    ask(stage)
    server.answer = b"HTTP/1.1 409 No\r\nContent-Length: 0\r\n\r\n"
    assert ask(stage, method=b"POST", body=b"x").status == 409
    assert ask(stage).told.startswith("hit")
    server.answer = response(b"done")
    assert ask(stage, method=b"POST", body=b"x").told == "fwd=method"
    server.answer = response(b"new", FRESH)
    assert ask(stage).body == b"new"


def test_what_was_changed_is_forgotten_though_the_answer_broke_off(stage: Stage, server: Origin) -> None:
    stage.proxy_to(server.address, cache={})
    ask(stage)
    server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc"
    with stage.connect() as client:
        client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        client.head()
        client.reset()
    eventually(stage.is_quiet)
    server.answer = response(b"new", FRESH)
    assert ask(stage).body == b"new"


def test_without_memory_everything_passes(staged: Callable[..., Stage], server: Origin) -> None:
    stage = staged(cache={"bytes": 0})
    stage.proxy_to(server.address, cache={})
    assert [ask(stage).told for _ in range(2)] == ["fwd=bypass"] * 2


def test_what_is_stored_is_compressed_for_those_who_take_it(stage: Stage, server: Origin) -> None:
    server.answer = response(b"x" * 5000, FRESH, b"Content-Type: text/plain", b'ETag: "1"')
    stage.proxy_to(server.address, cache={}, compress={})
    for _ in range(2):
        coded = ask(stage, b"Accept-Encoding: gzip")
        assert (coded.fields["content-encoding"], gzip.decompress(coded.body)) == ("gzip", b"x" * 5000)
        assert ask(stage).body == b"x" * 5000
    assert ask(stage, b"Accept-Encoding: gzip", b'If-None-Match: W/"1"').status == 304
    assert len(server.got) == 1
