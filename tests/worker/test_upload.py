import json
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import gevent
import pytest
from gevent.event import Event

from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.upload import Upload
from tests.worker.peer import WITHIN_S, Backend, Peer, eventually, response, settled
from tests.worker.stage import Stage

LENGTH = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = bytes(range(256)) * 20_000


def echo(peer: Peer) -> None:
    """Answer each request with its body."""
    while head := peer.head():
        if b"Transfer-Encoding: chunked" in head:
            body, trailers = peer.chunked_body()
            peer.send(response(body + repr(trailers).encode() if trailers else body))
        else:
            length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            peer.send(response(peer.exactly(int(length[0][16:])) if length else b"-"))


def failed(client: Peer) -> tuple[bytes, str]:
    """Read a problem document: (status, code)."""
    head, body = client.message()
    return head[9:12], json.loads(body)["code"]


@pytest.mark.parametrize("step", [1, 7, 60, 1000])
@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (LENGTH % (20, b"") + b"0123456789" * 2, b"0123456789" * 2),
        (
            CHUNKED + b"3;x=y\r\nabc\r\n8\r\ndefghijk\r\n0\r\nX-Sum: 1\r\nEvil: 2\r\n\r\n",
            b"abcdefghijk[(b'X-Sum', b'1')]",
        ),
        (CHUNKED + b"0\r\n\r\n", b""),
    ],
)
def test_a_body_may_come_in_pieces(stage: Stage, wire: bytes, expected: bytes, step: int) -> None:
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            for at in range(0, len(wire), step):
                client.send(wire[at : at + step])
            assert client.message()[1] == expected
        client.send(GET)
        assert client.message()[1] == b"-"
        assert len(backend.peers) == 1


def test_large_bodies(stage: Stage) -> None:
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (len(BIG), b"") + BIG)
        assert client.message()[1] == BIG
        client.send(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BIG), BIG) + GET)
        assert client.message()[1] == BIG
        assert client.message()[1] == b"-"
        assert stage.cell(layout.BYTES_IN) == 2 * len(BIG)


def test_a_slow_server_slows_the_client_down(stage: Stage) -> None:
    go_on, sent = Event(), [0]

    def script(peer: Peer) -> None:
        peer.head()
        go_on.wait(WITHIN_S)
        for _ in range(20):
            peer.exactly(len(BIG))
        peer.send(response())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()

        def upload() -> None:
            client.send(LENGTH % (20 * len(BIG), b""))
            for _ in range(20):
                client.send(BIG)
                sent[0] += 1

        uploading = gevent.spawn(upload)
        settled(lambda: sent[0])
        assert sent[0] < 12  # what socket buffers hold, and no more
        go_on.set()
        uploading.join(WITHIN_S)
        assert client.message()[1] == b"ok"


def test_a_client_that_waits_for_100_continue(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        head = peer.head()
        assert b"\r\nExpect: 100-continue\r\n" in head
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.send(response(peer.exactly(3)))

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (3, b"Expect: 100-continue\r\n"))
        assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        assert client.message()[1] == b"abc"


def test_a_server_may_refuse_what_a_client_would_send(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        assert peer.rest() == b""

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (3, b"Expect: 100-continue\r\n"))
        assert client.head().startswith(b"HTTP/1.1 417 No\r\n")
        client.send(b"abc")
        assert client.rest() == b""  # whether the body comes nobody can know: the connection ends


@pytest.mark.parametrize(
    "answer", [response(b"early"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("head", [LENGTH % (len(BIG) * 2, b"") + BIG, CHUNKED + b"%x\r\n" % (len(BIG) * 2) + BIG])
def test_an_early_answer_ends_the_upload(stage: Stage, head: bytes, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer)
        with pytest.raises((ConnectionResetError, AssertionError)):
            peer.exactly(len(BIG) * 2)

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(head[:1000])
        assert client.head().startswith(b"HTTP/1.1 200 OK\r\n")
        eventually(stage.is_quiet)
        assert stage.requests() == 1
        assert stage.cell(layout.STATUS_2XX) == 1
        client.close()
        eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


def test_an_early_answer_while_the_server_takes_nothing(stage: Stage) -> None:
    answer_now, sent = Event(), [0]

    def script(peer: Peer) -> None:
        peer.head()
        answer_now.wait(WITHIN_S)
        peer.send(response(b"early"))
        peer.rest()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()

        def upload() -> None:
            client.send(LENGTH % (len(BIG) * 20, b""))
            with suppress(OSError):  # the worker has heard enough
                for _ in range(20):
                    client.send(BIG)
                    sent[0] += 1

        uploading = gevent.spawn(upload)
        settled(lambda: sent[0])  # the worker is stuck in writing
        answer_now.set()
        assert client.message()[1] == b"early"
        eventually(stage.is_quiet)
        uploading.join(WITHIN_S)
        client.close()
        eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


@pytest.mark.parametrize("ending", [Peer.close, Peer.reset])
@pytest.mark.parametrize("wire", [LENGTH % (10, b"") + b"abc", CHUNKED + b"a\r\nabc", LENGTH % (10, b"")])
def test_a_client_that_leaves_within_its_body(stage: Stage, wire: bytes, ending: Callable[[Peer], None]) -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.append(peer.head())
        got.append(peer.rest())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(wire)
        eventually(lambda: got)
        ending(client)
        eventually(lambda: len(got) == 2)
        assert b"0\r\n\r\n" not in got[1]  # the server cannot take it for the whole body
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == 1
        assert stage.cell(layout.CONNECTIONS) == 0


def test_a_body_that_takes_too_long(staged: Callable[..., Stage]) -> None:
    stage = staged(timeouts={"body_s": 0.1})
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (10, b"") + b"abc")
        assert failed(client) == (b"408", "request_timeout")
        assert client.rest() == b""
        assert stage.cell(layout.TIMEOUTS) == 1


@pytest.mark.parametrize("rest", [b"nonsense\r\n", b"3\r\nabcd\r\n", b"0\r\nA : b\r\n\r\n"])
def test_a_broken_chunk_ends_the_request(stage: Stage, rest: bytes) -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.append(peer.head())
        got.append(peer.rest())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(CHUNKED + b"3\r\nabc\r\n")
        eventually(lambda: got)
        client.send(rest)
        assert failed(client) == (b"400", "bad_request")
        eventually(lambda: len(got) == 2)
        assert not got[1].endswith(b"0\r\n\r\n")


def test_a_body_that_becomes_too_large(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"body_bytes": 5})
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(CHUNKED + b"3\r\nabc\r\n")
        eventually(lambda: backend.peers)
        client.send(b"3\r\nabc\r\n")
        assert failed(client) == (b"413", "body_too_large")


def test_the_answer_of_a_server_that_stops_reading_counts(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        peer.end()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (10, b"") + b"abc")
        assert client.head().startswith(b"HTTP/1.1 403 No\r\n")
        client.close()
        eventually(lambda: stage.cell(layout.CONNECTIONS) == 0)


def test_a_server_that_closes_within_the_body_without_an_answer(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.close()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (10, b"") + b"abc")
        assert failed(client) == (b"502", "bad_upstream")
        assert len(backend.peers) == 1


def test_the_time_to_answer_runs_from_the_end_of_the_body(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.exactly(6)
        peer.rest()

    with Backend(script) as backend:
        stage.proxy_to(backend, timeouts={"response_s": 20})
        client = stage.connect()
        client.send(LENGTH % (6, b"") + b"ab")
        eventually(lambda: backend.peers)
        (served,) = stage.runtime.clients
        upstream = served.waits_for
        assert upstream is not None
        client.send(b"cd")
        gevent.idle()
        assert upstream.deadline == NEVER
        client.send(b"ef")
        eventually(lambda: upstream.deadline != NEVER)
        assert upstream.deadline - monotonic() == pytest.approx(20, abs=1)


def test_a_fault_of_ours_is_answered_and_logged_with_its_request(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Upload) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(Upload, "_pump", fail)
    with Backend(Peer.rest) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(LENGTH % (20, b""))
        head, body = client.message()
    problem = json.loads(body)
    assert (head[9:12], problem["code"]) == (b"500", "internal_error")
    (record,) = [record for record in caplog.records if record.message == "an upload failed"]
    assert record.__dict__["request_id"] == problem["request_id"]
