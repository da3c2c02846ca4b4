"""Who may use an API: addresses and pages of other origins, as their clients see it."""

import json
from collections.abc import Callable

from gproxy.shared import layout
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage

ORIGIN = b"Origin: https://a.example\r\n"


def ask(client: Peer, method: bytes = b"GET", path: bytes = b"/", lines: bytes = b"") -> tuple[bytes, bytes]:
    client.send(b"%b %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (method, path, lines))
    return client.message()


def preflight(client: Peer, method: bytes, path: bytes = b"/") -> bytes:
    return ask(client, b"OPTIONS", path, ORIGIN + b"Access-Control-Request-Method: %b\r\n" % method)[0]


def test_addresses_are_refused_and_counted(staged: Callable[..., Stage]) -> None:
    stage = staged(gproxy={"trusted_proxies": "127.0.0.0/8"})
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend, access={"allow": ["192.0.2.0/24"]})
        client = stage.connect()
        assert ask(client, lines=b"X-Forwarded-For: 192.0.2.7\r\n")[0][9:12] == b"200"
        head, body = ask(client, lines=b"X-Forwarded-For: 192.0.2.7, 192.0.3.7\r\n")
        assert (head[9:12], json.loads(body)["code"]) == (b"403", "access_denied")
        assert ask(client)[0][9:12] == b"403"
    assert stage.table.row_total(2, layout.ROW_DENIED) == 2
    assert stage.table.row_total(2, layout.ROW_FAILURES) == 0


def test_preflights_find_the_api_that_they_ask_about(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        apis = [
            {"name": "reads", "path": "/a", "methods": ["GET"], "cors": {"origins": ["https://a.example"]}},
            {"name": "writes", "path": "/a", "methods": ["POST"]},
            {"name": "rest", "path": "/*", "cors": {"origins": ["*"]}},
        ]
        stage.use(
            [{"name": "s", "address": backend.address}],
            [{"name": "c", "servers": ["s"]}],
            [{**api, "nodes": [{"cluster": "c"}]} for api in apis],
        )
        client = stage.connect()
        assert b"\r\nAccess-Control-Allow-Methods: GET\r\n" in preflight(client, b"GET", b"/a")
        assert b"\r\nAccess-Control-Allow-Methods: PUT\r\n" in preflight(client, b"PUT", b"/a")
        assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in preflight(client, b"GET", b"/b")
        assert not backend.peers  # no server has been asked
        assert preflight(client, b"POST", b"/a")[9:12] == b"200"  # the API has no rule: as any OPTIONS
        assert ask(client, b"OPTIONS", b"/b")[0][9:12] == b"200"


def test_a_preflight_takes_no_short_way_to_an_api_that_takes_everything(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        node = {"nodes": [{"cluster": "c"}]}
        stage.use(
            [{"name": "s", "address": backend.address}],
            [{"name": "c", "servers": ["s"]}],
            [
                {"name": "a", "path": "/a", "methods": ["GET"], "cors": {"origins": ["*"]}, **node},
                {"name": "rest", "path": "/*", **node},
            ],
        )
        client = stage.connect()
        for _ in range(2):  # the second one would have an open connection
            assert ask(client, path=b"/b")[0][9:12] == b"200"
            assert preflight(client, b"GET", b"/a")[9:12] == b"204"


def test_answers_and_errors_are_marked(stage: Stage) -> None:
    marks = (b"\r\nAccess-Control-Allow-Origin: https://a.example\r\n", b"\r\nVary: Origin\r\n")
    with Backend(answers(response(b"ok", b"Access-Control-Allow-Origin: *"))) as backend:
        stage.proxy_to(backend, cors={"origins": ["https://a.example"]})
        head, _ = ask(stage.connect(), lines=ORIGIN)
        assert all(mark in head for mark in marks)
        assert head.count(b"Access-Control") == 1
    stage.proxy_to("127.0.0.1:1", cors={"origins": ["https://a.example"]})
    head, _ = ask(stage.connect(), lines=ORIGIN)
    assert head[9:12] == b"502"
    assert all(mark in head for mark in marks)


def test_preflights_are_asked_for_nothing(stage: Stage) -> None:
    limit = {"rate": 1, "per_s": 3600}
    stage.proxy_to("127.0.0.1:1", cors={"origins": ["*"]}, access={"deny": ["127.0.0.1"]}, rate_limit=limit)
    client = stage.connect()
    assert [preflight(client, b"GET")[9:12] for _ in range(3)] == [b"204"] * 3
    head, _ = ask(client, lines=ORIGIN)
    assert (head[9:12], head.count(b"Access-Control-Allow-Origin: *")) == (b"403", 1)
    assert stage.table.row_total(2, layout.ROW_STATUS_2XX) == 3


def test_values_of_header_edits_are_made_of_the_request(stage: Stage) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        while head := peer.head():
            heads.append(head)
            peer.send(response(b"ok"))

    with Backend(script) as backend:
        stage.proxy_to(
            backend,
            path="/{id}/*",
            request_headers={"set": {"X-Id": "id {path.id}", "X-Sid": "{cookie.sid}", "X-Brace": "{{}}"}},
            response_headers={"add": {"X-Query": "{query.q|none}"}},
        )
        client = stage.connect()
        head, _ = ask(client, path=b"/a%0D%0AX-B:%201/x?q=%0a1", lines=b"X-Sid: mine\r\n")
    assert b"\r\nX-Query: 1\r\n" in head
    assert b"\r\nX-Id: id aX-B: 1\r\n" in heads[0]
    assert b"\r\nX-Brace: {}\r\n" in heads[0]
    assert b"X-Sid" not in heads[0]
