"""Stored answers and aggregation: each part by itself, and what they make together."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.worker.aggregation import Kitchen, closes, in_turn, says
from tests.worker.cache.origin import FRESH, Clock, counters
from tests.worker.peer import Peer
from tests.worker.stage import Stage

BUSY = says(b'"busy"', status=503)


def test_a_part_is_stored_by_itself(stage: Stage, clock: Clock) -> None:
    more = {"user": {"cache": {"ttl_s": 10}}}
    with Kitchen(stage, {"user": says(b'{"id": 7}'), "account": says(b"[1]")}, more) as kitchen:
        for _ in range(3):
            assert kitchen.ask().json() == {"user": {"id": 7}, "account": [1]}
        assert {attr: len(got) for attr, got in kitchen.got.items()} == {"user": 1, "account": 3}
        assert counters(stage) == {"hits": 2, "misses": 1, "stored": 1}
        clock.advance(11)
        kitchen.ask()
        assert len(kitchen.got["user"]) == 2


def test_a_part_is_confirmed_by_its_server(stage: Stage, clock: Clock) -> None:
    confirmed = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\n\r\n'

    def script(peer: Peer) -> None:
        for answer in (says(b'{"id": 7}', FRESH, b'ETag: "1"'), confirmed):
            peer.message()
            peer.send(answer)
        peer.rest()

    with Kitchen(stage, {"user": script}, {"user": {"cache": {}}}) as kitchen:
        for _ in range(2):
            assert kitchen.ask().json() == {"user": {"id": 7}}
            clock.advance(61)
        assert b'If-None-Match: "1"\r\n' in kitchen.got["user"][1][0]
        clock.advance(-10)
        assert kitchen.ask().json() == {"user": {"id": 7}}
        assert len(kitchen.got["user"]) == 2
    assert counters(stage) == {"hits": 1, "misses": 2, "stored": 1, "revalidated": 1}


def test_a_stale_part_stands_in(stage: Stage, clock: Clock) -> None:
    more = {"user": {"cache": {"stale_if_error_s": 30}}}
    for failing in (BUSY, closes):
        first = says(b'{"id": 7}', FRESH, b"Connection: close")
        with Kitchen(stage, {"user": in_turn(first, failing), "b": says(b"1")}, more) as kitchen:
            for _ in range(2):
                answer = kitchen.ask()
                assert (answer.json(), answer.completed) == ({"user": {"id": 7}, "b": 1}, ["true"])
                clock.advance(61)
            assert len(kitchen.got["user"]) == 2
            assert kitchen.ask().status == (503 if failing is BUSY else 502)
        stage.runtime.cache._shelf.memory.purge()  # type: ignore[union-attr]


def test_parts_of_consumers_are_told_apart(stage: Stage) -> None:
    keys = [{"consumer": name, "sha256": sha256(name.encode()).hexdigest()} for name in ("ada", "bob")]
    more = {"a": {"cache": {"ttl_s": 60, "key": ["consumer"]}, "rewrite": "/{consumer}"}}
    cached = {"a": {"cache": {"ttl_s": 60, "key": ["consumer"]}}}
    for version in (more, cached):
        with Kitchen(stage, {"a": says(b"1")}, version, auth={"api_keys": {"keys": keys}}) as kitchen:
            for name in (b"ada", b"bob", b"ada", b"bob"):
                kitchen.ask(b"GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + name + b"\r\n\r\n")
            assert [b"X-Consumer: ada" in head for head, _ in kitchen.got["a"]] == [True, False]


def test_the_whole_is_stored_as_long_as_its_parts_allow(stage: Stage, clock: Clock) -> None:
    nodes = {"a": says(b"1", b"Cache-Control: max-age=10"), "b": says(b"2", b"Cache-Control: max-age=60")}
    with Kitchen(stage, nodes, cache={}) as kitchen:
        first, second = kitchen.ask(), kitchen.ask()
        assert first.values("cache-status") == ["gproxy; fwd=uri-miss; stored"]
        assert second.values("cache-status") == ["gproxy; hit; ttl=9"]
        assert second.json() == first.json() == {"a": 1, "b": 2}
        assert second.values("content-type") == ["application/json"]
        assert second.completed == ["true"]
        assert [len(got) for got in kitchen.got.values()] == [1, 1]
        clock.advance(11)
        assert kitchen.ask().values("cache-status") == ["gproxy; fwd=stale; stored"]


def test_a_whole_that_is_not_complete_is_not_stored_and_a_stale_one_stands_in(stage: Stage, clock: Clock) -> None:
    first = says(b"1", FRESH, b"Connection: close")
    nodes = {"a": in_turn(first, BUSY), "b": says(b"2", FRESH)}
    with Kitchen(stage, nodes, cache={"stale_if_error_s": 30}) as kitchen:
        kitchen.ask()
        clock.advance(61)
        stood_in = kitchen.ask()
        assert stood_in.json() == {"a": 1, "b": 2}
        assert stood_in.values("cache-status") == ['gproxy; hit; ttl=-1; detail="bad_upstream"']
        clock.advance(61)
        assert kitchen.ask().status == 503
    nodes = {"a": BUSY, "b": says(b"2", FRESH)}
    with Kitchen(stage, nodes, cache={"ttl_s": 60, "version": 2}, merge={"on_failure": "partial"}) as kitchen:
        assert [kitchen.ask().values("cache-status") for _ in range(2)] == [
            ['gproxy; fwd=uri-miss; detail="incomplete"']
        ] * 2


def test_a_whole_whose_parts_are_asked_about_the_client_is_kept_for_each(stage: Stage) -> None:
    more = {"a": {"rewrite": "/u/{header.x-user|nobody}"}}
    with Kitchen(stage, {"a": says(b"1", FRESH)}, more, cache={}) as kitchen:
        for user in (b"X-User: 1\r\n", b"X-User: 2\r\n", b"X-User: 1\r\n", b""):
            kitchen.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n" + user + b"\r\n")
        assert [head.split()[1] for head, _ in kitchen.got["a"]] == [b"/u/1", b"/u/2", b"/u/nobody"]


@pytest.mark.parametrize("directive", [b"must-revalidate", b"s-maxage=60"])
def test_what_one_part_permits_is_not_permitted_for_the_other(stage: Stage, directive: bytes) -> None:
    nodes = {"a": says(b"1", FRESH + b", " + directive), "b": says(b'"for one client"', FRESH)}
    with Kitchen(stage, nodes, cache={}) as kitchen:
        for number in (1, 2):
            answer = kitchen.ask(b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %d\r\n\r\n" % number)
            assert answer.values("cache-status") == ['gproxy; fwd=uri-miss; detail="for one client"']
        assert len(kitchen.got["b"]) == 2


@pytest.mark.parametrize(("line", "ttl_s"), [(b"Cache-Control: max-age=5", 4), (b"Expires: 0", None)])
def test_what_one_part_says_counts_before_the_time_of_the_api(stage: Stage, line: bytes, ttl_s: int | None) -> None:
    with Kitchen(stage, {"a": says(b"1", line), "b": says(b"2")}, cache={"ttl_s": 600}) as kitchen:
        first, second = (kitchen.ask().values("cache-status") for _ in range(2))
        missed = ['gproxy; fwd=uri-miss; detail="does not say for how long"']
        assert (first, second) == (missed, missed) if ttl_s is None else second == [f"gproxy; hit; ttl={ttl_s}"]
