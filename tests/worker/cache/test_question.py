"""Which answers are told apart, and who gets which."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from tests.harness.tokens import SECRET, secret_token
from tests.worker.cache.origin import FRESH, Origin, ask, fields_of, origin
from tests.worker.peer import response
from tests.worker.stage import Stage


def test_an_answer_to_one_who_has_said_who_he_is_is_for_him_unless_it_is_public(stage: Stage, server: Origin) -> None:
    stage.proxy_to(server.address, cache={"ttl_s": 60})
    server.answer = response(b"anybody")
    ask(stage)
    for who in (b"Cookie: sid=1", b"Authorization: Basic YTpi"):
        server.answer = response(b"mine")
        assert ask(stage, who).body == b"mine"
        assert ask(stage).body == b"anybody"
    server.answer = response(b"public", b"Cache-Control: public, max-age=60")
    assert ask(stage, b"Authorization: Basic YTpi").told == "fwd=uri-miss; stored"
    server.answer = response(b"later")
    assert [ask(stage, who).body for who in (b"Authorization: Basic YTpi", b"Cookie: a=b", b"X: y")] == [b"public"] * 3


def test_consumers_have_answers_of_their_own(stage: Stage, server: Origin) -> None:
    keys = [{"consumer": name, "sha256": sha256(name.encode()).hexdigest()} for name in ("ada", "bob")]
    server.answer = lambda head: response(b"for " + fields_of(head)["x-consumer"].encode(), FRESH)
    stage.proxy_to(server.address, cache={}, auth={"api_keys": {"keys": keys}})
    assert [ask(stage, b"X-Api-Key: ada").told for _ in range(2)] == ['fwd=uri-miss; detail="for one client"'] * 2
    stage.proxy_to(server.address, cache={"key": ["consumer"]}, auth={"api_keys": {"keys": keys}})
    for _ in range(2):
        assert ask(stage, b"X-Api-Key: ada").body == b"for ada"
        assert ask(stage, b"X-Api-Key: bob").body == b"for bob"
    assert len(server.got) == 4
    assert ask(stage).status == 401


def test_who_has_no_name_has_no_answers_of_his_own(stage: Stage, server: Origin) -> None:
    jwt = {"algorithms": ["HS256"], "secret": SECRET, "require": [], "consumer_claim": "name"}
    stage.proxy_to(server.address, cache={"key": ["consumer"]}, auth={"jwt": jwt})
    for claims, told in (({"name": "ada"}, "stored"), ({}, 'detail="for one client"')):
        line = b"Authorization: Bearer " + secret_token(**claims).encode()
        assert ask(stage, line).told == f"fwd=uri-miss; {told}"


def test_answers_of_clusters_where_rules_lead_are_told_apart(stage: Stage) -> None:
    with origin(response(b"old", FRESH)) as old, origin(response(b"new", FRESH)) as new:
        servers = [{"name": name, "address": server.address} for name, server in (("old", old), ("new", new))]
        clusters = [{"name": name, "servers": [name]} for name in ("old", "new")]
        rule = {"name": "beta", "api": "all", "cluster": "new", "when": {"all": ["$header_x_beta == 1"]}}
        api = {"name": "all", "path": "/*", "nodes": [{"cluster": "old"}], "cache": {}}
        stage.use(servers, clusters, [api], [rule])
        for _ in range(2):
            assert ask(stage).body == b"old"
            assert ask(stage, b"X-Beta: 1").body == b"new"
        assert (len(old.got), len(new.got)) == (1, 1)


def test_a_proxy_in_front_tells_which_answer_is_wanted(staged: Callable[..., Stage], server: Origin) -> None:
    stage = staged(gproxy={"trusted_proxies": "127.0.0.0/8"})
    server.answer = lambda head: response(fields_of(head)["x-forwarded-proto"].encode(), FRESH)
    stage.proxy_to(server.address, cache={})
    for _ in range(2):
        for scheme in (b"http", b"https"):
            assert ask(stage, b"X-Forwarded-Proto: " + scheme, b"X-Forwarded-For: 192.0.2.7").body == scheme
    ask(stage, b"X-Forwarded-Proto: http", b"X-Forwarded-For: 192.0.2.8")
    assert len(server.got) == 2
    seen = ask(stage, b"X-Forwarded-Proto: http", b"Client-Cert: :x:")
    assert seen.told == 'fwd=uri-miss; detail="for one client"'


def test_what_else_tells_answers_apart(stage: Stage, server: Origin) -> None:
    server.answer = lambda head: response(head.split()[1] + b" " + fields_of(head).get("x-lang", "").encode(), FRESH)
    stage.proxy_to(server.address, cache={"key": ["header:X-Lang"]}, rewrite="/r?{query}&u={header.x-user|nobody}")
    asked = [(b"X-Lang: de",), (b"X-Lang: en",), (b"X-Lang: de", b"X-User: 7"), ()]
    for _ in range(2):
        assert [ask(stage, *lines, target=b"/x?a=1").body for lines in asked] == [
            *(b"/r?a=1&u=nobody de", b"/r?a=1&u=nobody en", b"/r?a=1&u=7 de", b"/r?a=1&u=nobody ")
        ]
    assert len(server.got) == 4
