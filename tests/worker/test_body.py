"""Bodies that are looked at: read whole, and passed on in one piece."""

import json

import pytest

from tests.worker.peer import Backend, Peer, response
from tests.worker.stage import Stage

REWRITE = "/users?id={body.user.id}"
BODY = b'{"user": {"id": 7}, "pad": "' + b"x" * 3000 + b'"}'
LENGTH = b"POST / HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"


def show(peer: Peer) -> None:
    """Answer with the head and the body that came."""
    while head := peer.head():
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")]
        peer.send(response(head + peer.exactly(int(length[0][16:])) if length else head))


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize("step", [100, 5000])
@pytest.mark.parametrize("wire", [LENGTH % (b"", len(BODY)) + BODY, CHUNKED % b"" + chunked(BODY, 700)])
def test_a_body_that_is_looked_at_goes_on_whole(stage: Stage, wire: bytes, step: int) -> None:
    with Backend(show) as backend:
        stage.proxy_to(backend, rewrite=REWRITE, request_headers={"set": {"X-Edited": "1"}})
        client = stage.connect()
        for _ in range(2):
            for at in range(0, len(wire), step):
                client.send(wire[at : at + step])
            head, _, body = client.message()[1].partition(b"\r\n\r\n")
            assert head.startswith(b"POST /users?id=7 HTTP/1.1\r\nHost: a\r\n")
            assert body == BODY
            assert head.lower().count(b"content-length: %d" % len(BODY)) == 1
            assert b"Transfer-Encoding" not in head
            assert b"Trailer" not in head
            assert b"X-Edited: 1" in head


def test_what_follows_the_body_is_the_next_request(stage: Stage) -> None:
    wire = CHUNKED % b"" + chunked(BODY, 700)
    with Backend(show) as backend:
        stage.proxy_to(backend, rewrite=REWRITE)
        client = stage.connect()
        client.send(wire[:1000])
        client.send(wire[1000:] + wire)
        assert client.message()[1].endswith(BODY)
        assert client.message()[1].endswith(BODY)


@pytest.mark.parametrize(
    "wire", [LENGTH % (b"Expect: 100-continue\r\n", len(BODY)), CHUNKED % b"Expect: 100-continue\r\n"]
)
def test_a_client_that_waits_is_told_to_go_on(stage: Stage, wire: bytes) -> None:
    with Backend(show) as backend:
        stage.proxy_to(backend, rewrite=REWRITE)
        client = stage.connect()
        client.send(wire)
        assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(BODY if b"Length" in wire else chunked(BODY, 900))
        answer = client.message()[1]
        assert answer.endswith(BODY)
        assert b"Expect" not in answer


@pytest.mark.parametrize("wire", [LENGTH % (b"", 2001) + b"x" * 10, CHUNKED % b"" + chunked(b"x" * 2001, 100)])
def test_more_than_is_held_in_memory(folder_stage: Stage, wire: bytes) -> None:
    folder_stage.proxy_to("127.0.0.1:1", rewrite=REWRITE)
    client = folder_stage.connect()
    client.send(wire)
    head, body = client.message()
    assert head[9:12] == b"413"
    assert "2000 bytes" in json.loads(body)["detail"]
    assert b"Connection: close" in head


@pytest.fixture
def folder_stage(tmp_path_factory: pytest.TempPathFactory) -> object:
    made = Stage(tmp_path_factory.mktemp("stage"), limits={"buffered_body_bytes": 2000})
    yield made
    made.close()


@pytest.mark.parametrize("body", [b"", b"[", b'{"user": {}}'])
def test_a_value_that_the_body_lacks_is_named(stage: Stage, body: bytes) -> None:
    stage.proxy_to("127.0.0.1:1", rewrite=REWRITE)
    client = stage.connect()
    client.send(LENGTH % (b"", len(body)) + body)
    head, document = client.message()
    assert head[9:12] == b"400"
    assert json.loads(document) | {"request_id": ""} == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The request has no value for body.user.id.",
        "code": "bad_value",
        "request_id": "",
    }


def test_a_method_of_the_node_s_own(stage: Stage) -> None:
    with Backend(show) as backend:
        stage.proxy_to(backend, nodes=[{"cluster": "c", "method": "POST", "rewrite": "/rpc?p={path}"}])
        client = stage.connect()
        client.send(b"GET /a/b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.message()[1].startswith(b"POST /rpc?p=/a/b HTTP/1.1\r\n")
        client.send(b"HEAD /a/b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.head().startswith(b"HTTP/1.1 200 OK\r\n")
        assert client.message()[1].startswith(b"POST /rpc?p=/c HTTP/1.1\r\n")
