"""The short way: which requests take it, and that it never differs from the story."""

from collections.abc import Callable, Iterator

import gevent.event
import pytest

from gproxy.core.model.api import Api as ApiDocument
from gproxy.core.node import Node
from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, eventually, limited, response
from tests.worker.stage import Stage

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


class Watched:
    """A stage that counts how often the story was needed for an exchange, or its rest."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stories = 0
        runtime, start = stage.runtime, stage.runtime.start

        def counted(task: object) -> None:
            self.stories += 1
            start(task)  # type: ignore[arg-type]

        runtime.start = counted  # type: ignore[method-assign]

    def after(self, client: Peer, request: bytes) -> bytes:
        """Return the head of the answer to a request and forget what was counted before it."""
        self.stories = 0
        client.send(request)
        head, _ = client.message()
        eventually(self.stage.is_quiet)
        return head


@pytest.fixture
def watched(stage: Stage) -> Watched:
    return Watched(stage)


@pytest.fixture
def client(watched: Watched) -> Iterator[Peer]:
    """A client whose worker has an open connection to a server that says ok."""
    with limited(), Backend(answers(response())) as backend:
        watched.stage.proxy_to(backend)
        with watched.stage.connect() as peer:
            watched.after(peer, GET)
            yield peer


@pytest.mark.parametrize(
    "request_",
    [
        GET,
        POST,
        b"DELETE /x?y=z HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /new HTTP/1.1\r\nHost: a\r\nNever-Seen: before\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    ],
)
def test_what_takes_the_short_way(watched: Watched, client: Peer, request_: bytes) -> None:
    assert b"200 OK" in watched.after(client, request_)
    assert watched.stories == 0
    assert watched.stage.cell(layout.STATUS_2XX) == 2


def test_the_last_request_of_a_connection_takes_it_too(watched: Watched, client: Peer) -> None:
    client.send(GET)
    client.message()
    watched.stories = 0
    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _ = client.message()
    assert b"200 OK" in head
    assert b"\r\nConnection: close\r\n" in head
    assert client.rest() == b""
    assert watched.stories == 0


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n" + GET,
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_does_not(watched: Watched, client: Peer, request_: bytes) -> None:
    watched.stories = 0
    client.send(request_)
    assert b"200 OK" in client.head()
    assert watched.stories == 1


def test_a_request_that_waits_holds_no_greenlet(watched: Watched, client: Peer) -> None:
    asked, may_answer = [], gevent.event.Event()

    def slow(peer: Peer) -> None:
        while peer.message()[0]:
            asked.append(peer)
            may_answer.wait()
            peer.send(response())

    with Backend(slow) as backend:
        may_answer.set()
        watched.stage.proxy_to(backend)
        watched.after(client, GET)
        may_answer.clear()
        watched.stories = 0
        client.send(GET)
        eventually(lambda: len(asked) == 2)
        assert watched.stories == 0
        assert watched.stage.cell(layout.ACTIVE) == 1
        may_answer.set()
        assert b"200 OK" in client.message()[0]
        assert watched.stories == 0


def test_a_pipeline_is_served_in_order(watched: Watched, client: Peer) -> None:
    client.send(GET + POST + GET)
    for _ in range(3):
        assert b"200 OK" in client.message()[0]
    assert b"200 OK" in watched.after(client, GET)
    assert watched.stories == 0


def test_a_request_that_comes_while_another_one_waits(watched: Watched, client: Peer) -> None:
    client.send(GET)
    gevent.idle()
    client.send(GET)
    assert b"200 OK" in client.message()[0]
    assert b"200 OK" in client.message()[0]


def test_limits_hold(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"target_bytes": 10, "body_bytes": 4})
    with limited(), Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        for request, status in ((POST, b"413"), (GET.replace(b"/x", b"/long-target"), b"414")):
            with stage.connect() as client:
                client.send(GET)
                client.message()
                client.send(request)
                assert status in client.head()


def test_a_draining_worker_says_that_the_connection_ends(watched: Watched, client: Peer) -> None:
    watched.stage.runtime.draining = True
    client.send(GET)
    assert b"\r\nConnection: close\r\n" in client.head()
    client.exactly(2)
    assert client.rest() == b""


def test_a_server_that_is_too_slow(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"response_s": 0.05})

    def once(peer: Peer) -> None:
        peer.message()
        peer.send(response())
        peer.message()
        peer.until(b"never")

    with limited(), Backend(once) as backend:
        stage.proxy_to(backend)
        with stage.connect() as client:
            client.send(GET)
            client.message()
            client.send(POST)
            head, body = client.message()
            assert b"504" in head
            assert b"upstream_timeout" in body
    eventually(stage.is_quiet)
    assert stage.cell(layout.TIMEOUTS) == 1


def test_a_fault_of_ours_is_answered_and_recorded(
    watched: Watched, client: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(watched.stage.runtime.express, "_request_for", broken)
    assert b"500 " in watched.after(client, GET)
    monkeypatch.undo()
    assert b"200 OK" in watched.after(client, GET)
    assert watched.stage.cell(layout.STATUS_5XX) == 1


#: what says nothing about how a request is served
_NEUTRAL = {"name", "hosts", "methods", "path", "priority", "status", "timeouts", "nodes", "tags"}
#: an example of everything else that an API may say, with what it cannot be without: its requests go the short way ...
_SHORT: dict[str, dict[str, object]] = {
    "preserve_host": {"preserve_host": False},
    "rewrite": {"rewrite": "/y"},
    "request_headers": {"request_headers": {"set": {"A": "{query.x|none}"}}},
    "response_headers": {"response_headers": {"remove": ["A"]}},
    "access": {"access": {"deny": ["192.0.2.1"]}},
    "validation": {"validation": [{"in": "query", "name": "a"}]},
    "auth": {"auth": {"api_keys": {"keys": [{"consumer": "a", "sha256": "0" * 64}]}}},
    "cors": {"cors": {"origins": ["*"]}},
    "rate_limit": {"rate_limit": {"rate": 1}},
    "default_response": {"default_response": {"status": 503}},
    "filters": {"filters": {"nobody": "looks for it"}},
    "compress": {"compress": {}},
    "access_log": {"access_log": {"percent": 1}},
}
#: ... or they may have to wait, or somebody has to look after them
_STORY: dict[str, dict[str, object]] = {
    "max_concurrency": {"max_concurrency": 1},
    "queue": {"max_concurrency": 1, "queue": {"size": 1}},
    "circuit_breaker": {"circuit_breaker": {}},
    "retry": {"retry": {}},
    "cache": {"cache": {}},
    "merge": {"merge": {}, "nodes": [{"cluster": "c", "attr": "a"}]},
    "mock": {"mock": True, "default_response": {"status": 200}},
    "redirect": {"redirect": {"location": "/y"}},
    "upgrade": {"upgrade": {}},
}
#: the same for parts of fields of which others go the other way
_STORY_TOO: list[dict[str, object]] = [
    {"validation": [{"in": "body", "name": "a"}]},
    {"auth": {"jwt": {"algorithms": ["ES256"], "jwks_url": "https://id.example/keys"}}},
]


def test_every_field_of_an_api_has_an_example_here() -> None:
    assert set(ApiDocument.model_fields) == _NEUTRAL | set(_SHORT) | set(_STORY), "say which way its requests go"


@pytest.mark.parametrize("field", [*_SHORT, *_STORY])
def test_which_apis_let_their_requests_go_the_short_way(stage: Stage, field: str) -> None:
    stage.proxy_to("127.0.0.1:1", **(_SHORT | _STORY)[field])
    assert (express_node(stage) is not None) == (field in _SHORT)


@pytest.mark.parametrize("api", _STORY_TOO, ids=lambda api: next(iter(api)))
def test_apis_that_may_have_to_wait_do_not(stage: Stage, api: dict[str, object]) -> None:
    stage.proxy_to("127.0.0.1:1", **api)
    assert express_node(stage) is None


@pytest.mark.parametrize(
    ("cluster", "server", "is_short"),
    [
        ({"circuit_breaker": {}}, {"max_qps": 1}, True),
        ({"load_balance": "p2c", "sticky_cookie": "s"}, {"slow_start_s": 1, "backup": True}, True),
        ({"retry": {}}, {}, False),
        ({}, {"max_connections": 1}, False),
    ],
)
def test_clusters(stage: Stage, cluster: dict[str, object], server: dict[str, object], is_short: bool) -> None:
    servers = [{"name": "s", "address": "127.0.0.1:1"} | server]
    api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
    stage.use(servers, [{"name": "c", "servers": ["s"]} | cluster], [api])
    assert (express_node(stage) is not None) == is_short


@pytest.mark.parametrize(
    ("cluster", "rule", "stories"),
    [
        ({}, {}, 0),
        ({}, {"when": {"all": ["$query_a == b"]}}, 0),
        ({"circuit_breaker": {}, "timeouts": {"total_s": 5}}, {}, 0),
        ({}, {"action": "mirror", "compare": {}}, 0),
        ({"retry": {}}, {}, 1),
    ],
)
def test_where_rules_lead(
    watched: Watched, client: Peer, cluster: dict[str, object], rule: dict[str, object], stories: int
) -> None:
    with Backend(answers(response(b"other"))) as other:
        snapshot = watched.stage.runtime.snapshot
        assert snapshot is not None
        (server,) = snapshot.clusters["c"].members
        address = f"{server.endpoint.host}:{server.endpoint.port}"
        watched.stage.use(
            [{"name": "s", "address": address}, {"name": "o", "address": other.address}],
            [{"name": "c", "servers": ["s"]}, {"name": "other", "servers": ["o"]} | cluster],
            [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}],
            [{"name": "r", "cluster": "other"} | rule],
        )
        watched.after(client, GET)
        eventually(lambda: watched.stage.table.row_total(4, layout.ROW_ACTIVE) == 0)
        assert b"200 OK" in watched.after(client, GET)
        eventually(lambda: watched.stage.table.row_total(4, layout.ROW_ACTIVE) == 0)
        assert watched.stories == stories


def express_node(stage: Stage) -> Node | None:
    """Return by which node of the only API requests may go the short way."""
    assert stage.runtime.snapshot is not None
    found = stage.runtime.snapshot.router.find(b"a", b"GET", b"/x")
    assert found is not None
    node: Node | None = found.target.express
    return node
