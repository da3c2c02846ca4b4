"""The short way of wholes: which take it, and where the story goes on. test_express_story.py holds it against that."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from gproxy.shared import layout
from tests.worker.aggregation import GET, Kitchen, after, closes, says
from tests.worker.parts import the_api
from tests.worker.peer import Peer, eventually, limited
from tests.worker.stage import Stage
from tests.worker.test_express import Watched
from tests.worker.test_gathering import Gone

A, B = says(b"1"), says(b"2")
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def watched(stage: Stage) -> Watched:
    return Watched(stage)


@pytest.fixture
def client(watched: Watched) -> Iterator[Peer]:
    with limited(), watched.stage.connect() as peer:
        yield peer


def stories(watched: Watched, kitchen: Kitchen, client: Peer, request: bytes = GET) -> int:
    """Ask over open connections and return how often the story was needed."""
    kitchen.open_connections(2)
    watched.after(client, request)
    return watched.stories


@pytest.mark.parametrize("request_", [GET, POST])
def test_over_open_connections_a_whole_needs_no_story(watched: Watched, client: Peer, request_: bytes) -> None:
    with Kitchen(watched.stage, {"a": A, "b": B}) as kitchen:
        assert stories(watched, kitchen, client, request_) == 0
        assert stories(watched, kitchen, client, request_) == 0
    assert watched.stage.cell(layout.STATUS_2XX) == 2


def test_nor_do_several_batches(watched: Watched, client: Peer) -> None:
    more = {"b": {"batch": 1, "rewrite": "/{a.x|none}"}, "c": {"batch": 2}}
    with Kitchen(watched.stage, {"a": A, "b": B, "c": A}, more) as kitchen:
        assert stories(watched, kitchen, client) == 0
        assert kitchen.ask().json() == {"a": 1, "b": 2, "c": 1}


def test_an_incomplete_whole_is_a_whole(watched: Watched, client: Peer) -> None:
    nodes = {"a": says(b"no", status=500), "b": B}
    with Kitchen(watched.stage, nodes, merge={"on_failure": "partial"}) as kitchen:
        assert stories(watched, kitchen, client) == 0
        assert kitchen.ask().parts == ["a;status=500", "b;status=200"]


def test_a_part_that_needs_a_greenlet_is_alone_with_it(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": A, "b": B}) as kitchen:
        watched.after(client, GET)  # each connection has to be opened
        assert watched.stories == 2
        assert kitchen.ask().json() == {"a": 1, "b": 2}


def test_a_whole_that_waits_holds_no_greenlet(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": after(0.05, A), "b": B}) as kitchen:
        kitchen.open_connections()
        watched.stories = 0
        client.send(GET)
        eventually(lambda: kitchen.got["a"])
        assert (watched.stories, watched.stage.cell(layout.ACTIVE)) == (0, 1)
        assert client.message()[1] == b'{"a":1,"b":2}'


@pytest.mark.parametrize(
    ("nodes", "status"),
    [
        ({"a": says(b"no", status=404), "b": B}, b"404"),
        ({"a": A, "b": says(b"", status=301)}, b"502"),
        ({f"n{at}": says(b'"%b"' % (b"x" * 30_000)) for at in range(5)}, b"200"),
    ],
)
def test_what_the_story_goes_on_with(watched: Watched, client: Peer, nodes: dict[str, bytes], status: bytes) -> None:
    with Kitchen(watched.stage, nodes) as kitchen:
        kitchen.open_connections()
        head = watched.after(client, GET)
        assert watched.stories == 1
    assert head.split(b" ")[1] == status


def test_head_is_answered_by_the_story(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": A, "b": B}) as kitchen:
        kitchen.open_connections()
        watched.stories = 0
        client.send(GET.replace(b"GET", b"HEAD"))
        assert b"\r\nContent-Length: 13\r\n" in client.head()
        assert watched.stories == 1


def test_nobody_can_be_asked(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": A}, {"a": {"rewrite": "/{query.none}"}}) as kitchen:
        assert b" 400 " in watched.after(client, GET)
        assert kitchen.got["a"] == []


@pytest.mark.parametrize("api", [{"access": {"deny": ["127.0.0.1"]}}, {"timeouts": {"total_s": 0.000001}}])
def test_a_refusal(watched: Watched, client: Peer, api: dict[str, object]) -> None:
    with Kitchen(watched.stage, {"a": A}, **api) as kitchen:
        kitchen.open_connections()
        assert watched.after(client, GET).split(b" ")[1] in (b"403", b"504")
        assert kitchen.got["a"] == []


def test_a_body_that_is_too_large(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"buffered_body_bytes": 4})
    with Kitchen(stage, {"a": A}) as kitchen:
        kitchen.open_connections()
        assert kitchen.ask(POST).status == 413
        assert kitchen.got["a"] == []


def test_a_client_that_leaves(watched: Watched) -> None:
    waits = Gone()
    with Kitchen(watched.stage, {"a": waits, "b": A}) as kitchen:
        kitchen.open_connections()
        with watched.stage.connect() as client:
            client.send(GET)
            eventually(lambda: waits.asked == 1)
        eventually(lambda: waits.ended == 1 and watched.stage.is_quiet())
    assert watched.stage.cell(layout.CLIENT_GONE) == watched.stage.requests() == 1


def test_a_failure_that_decides_ends_the_others(watched: Watched, client: Peer) -> None:
    waits = Gone()
    with Kitchen(watched.stage, {"a": says(b"no", status=500), "b": waits}) as kitchen:
        kitchen.open_connections()
        assert b" 500 " in watched.after(client, GET)
        eventually(lambda: waits.ended == 1)
        assert b" 500 " in watched.after(client, GET)


def test_a_part_that_fails_in_a_greenlet_decides_too(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": closes, "b": B}) as kitchen:
        kitchen.open_connections()
        assert b" 502 " in watched.after(client, GET)


def test_an_answer_that_the_socket_does_not_take_at_once(watched: Watched, client: Peer) -> None:
    large = says(b'"%b"' % (b"x" * 40_000))
    with Kitchen(watched.stage, {"a": large, "b": large, "c": large}) as kitchen:
        watched.after(client, GET)
        (served,) = watched.stage.runtime.clients
        served.wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        assert stories(watched, kitchen, client) == 1
        assert watched.stage.cell(layout.STATUS_2XX) == 2


def test_a_pipeline_is_served_in_order(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": A, "b": B}) as kitchen:
        kitchen.open_connections()
        client.send(GET)
        eventually(lambda: kitchen.got["a"])
        client.send(GET + GET)
        for _ in range(3):
            assert client.message()[1] == b'{"a":1,"b":2}'
        assert stories(watched, kitchen, client) == 0


def test_a_draining_worker_says_that_the_connection_ends(watched: Watched, client: Peer) -> None:
    with Kitchen(watched.stage, {"a": after(0.02, A)}) as kitchen:
        kitchen.open_connections()
        client.send(GET)
        eventually(lambda: kitchen.got["a"])
        watched.stage.runtime.draining = True
        assert b"\r\nConnection: close\r\n" in client.message()[0]


@pytest.mark.parametrize("broken", ["gathering", "ask", "whole"])
def test_a_fault_of_ours_is_answered_and_recorded(
    watched: Watched, client: Peer, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def bug(*_: object) -> None:
        raise RuntimeError("a bug")

    with Kitchen(watched.stage, {"a": A, "b": B}) as kitchen:
        kitchen.open_connections()
        monkeypatch.setattr(f"gproxy.worker.aggregate.Aggregator.{broken}", bug)
        assert b" 500 " in watched.after(client, GET)
        monkeypatch.undo()
        assert b" 200 " in watched.after(client, GET)
    assert watched.stage.cell(layout.STATUS_5XX) == 1


@pytest.mark.parametrize(
    ("api", "is_short"),
    [
        ({}, True),
        ({"request_headers": {"set": {"A": "b"}}, "response_headers": {"remove": ["A"]}}, True),
        ({"rate_limit": {"rate": 1}, "access": {"deny": ["192.0.2.1"]}, "cors": {"origins": ["*"]}}, True),
        ({"retry": {}, "preserve_host": False, "rewrite": "/y"}, True),
        ({"compress": {}}, False),
        ({"cache": {}}, False),
        ({"max_concurrency": 1}, False),
        ({"circuit_breaker": {}}, False),
        ({"validation": [{"in": "body", "name": "a"}]}, False),
        ({"mock": True, "default_response": {"status": 200}}, False),
    ],
)
def test_which_apis_let_their_wholes_go_the_short_way(stage: Stage, api: dict[str, object], is_short: bool) -> None:
    stage.proxy_to("127.0.0.1:1", nodes=[{"cluster": "c", "attr": "a"}], **api)
    assert the_api(stage).has_express_wholes == is_short


def test_what_one_server_answers_is_no_whole(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1")
    assert not the_api(stage).has_express_wholes
