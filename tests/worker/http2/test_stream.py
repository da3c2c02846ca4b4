"""Requests over HTTP/2: what the server gets, what the client gets, and who waits for whom."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from gproxy.shared import layout
from gproxy.worker.http2.session import Session
from tests.worker.http2.client import Http2Peer
from tests.worker.peer import Backend, Peer, answers, eventually, limited, response, settled
from tests.worker.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, gproxy={"http2": "all"}, timeouts={"body_s": 2})
    yield made
    made.close()


def connect(stage: Stage, **options: int) -> Http2Peer:
    return Http2Peer(stage.connect(), **options)


def echo(peer: Peer) -> None:
    """Answer with the head and the body that came."""
    while head := peer.head():
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")]
        if b"Transfer-Encoding: chunked" in head:
            body = peer.chunked_body()[0]
        else:
            body = peer.exactly(int(length[0][16:])) if length else b""
        peer.send(response(head + body, b"X-Server: 1", b"Connection: keep-alive"))


def test_a_request_and_its_answer(stage: Stage) -> None:
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            status, body = client.wait(client.request("/a?b=c", x_own="1", cookie="a=1"))
            assert status == 200
            head = client.heads[1]
            assert (head["x-server"], head["content-length"]) == ("1", str(len(body)))
            assert "connection" not in head
            assert body.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nx-own: 1\r\nCookie: a=1\r\n")
        eventually(stage.is_quiet)
        assert (stage.cell(layout.STATUS_2XX), stage.cell(layout.HTTP2_CONNECTIONS)) == (1, 1)


def test_many_requests_at_a_time_over_one_connection(stage: Stage) -> None:
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            numbers = [client.request(f"/{number}") for number in range(80)]
            for at, number in enumerate(numbers):
                assert client.wait(number)[1].startswith(b"GET /%d " % at)


@pytest.mark.parametrize("size", [0, 5, 100_000, 3_000_000])
@pytest.mark.parametrize("says", [True, False])
def test_bodies_both_ways(stage: Stage, size: int, says: bool) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            for _ in range(2):
                fields = {"content_length": str(size)} if says else {}
                number = client.request("/", "POST", ends=not size, **fields)
                client.send(number, body, ends=True)
                status, answer = client.wait(number)
                assert status == 200
                assert answer.partition(b"\r\n\r\n")[2] == body
    assert stage.requests() == 2


@pytest.mark.parametrize("says", [True, False])
def test_frames_without_data_are_no_end_of_a_body(stage: Stage, says: bool) -> None:
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            fields = {"content_length": "3"} if says else {}
            number = client.request("/", "POST", ends=False, **fields)
            for data, ends in ((b"a", False), (b"", False), (b"bc", False), (b"", True)):
                client.h2.send_data(number, data, end_stream=ends)
                client.flush()
                settled(stage.requests)  # the story waits for more
            assert client.wait(number)[1].endswith(b"abc")


def test_padding_is_given_back_at_once(stage: Stage) -> None:
    with Backend(echo) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request("/", "POST", ends=False)
            eventually(lambda: backend.peers)
            for _ in range(150):  # more than half of the window, and not one byte
                client.h2.send_data(number, b"", pad_length=255)
            client.flush()
            with limited():
                while client.h2.local_flow_control_window(number) < 40_000:
                    client.step()
            client.send(number, b"abc", ends=True)
            assert client.wait(number)[1].endswith(b"abc")


def test_an_answer_without_a_length_ends_with_its_stream(stage: Stage) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with Backend(answers(chunked)) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            assert client.wait(client.request()) == (200, b"abcde")
            assert "transfer-encoding" not in client.heads[1]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"]
)
def test_answers_without_a_body(stage: Stage, answer: bytes) -> None:
    with Backend(answers(answer)) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            assert client.wait(client.request()) == (int(answer[9:12]), b"")


def test_head_has_the_length_and_no_body(stage: Stage) -> None:
    with Backend(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            assert client.wait(client.request(method="HEAD")) == (200, b"")
            assert client.heads[1]["content-length"] == "50"


def test_interim_responses_are_passed_on(stage: Stage) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with Backend(answers(early + response())) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            assert client.wait(client.request()) == (200, b"ok")
            assert client.interim[1] == [{":status": "103", "link": "</a>"}]


def test_events_come_as_they_are_sent(stage: Stage) -> None:
    go_on = Event()

    def script(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait()
        peer.send(b"0\r\n\r\n")

    with Backend(script) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request()
            while client.bodies[number] != b"first":
                client.step()
            assert number not in client.ended
            go_on.set()
            assert client.wait(number) == (200, b"first")


def test_problems_are_answered_on_their_stream(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1", path="/a")
    with connect(stage) as client:
        first, second, third = client.request("/b"), client.request("/a"), client.request("/a b")
        for number, status, code in (
            (first, 404, "no_route"),
            (second, 502, "bad_upstream"),
            (third, 400, "bad_request"),
        ):
            got, body = client.wait(number)
            assert (got, json.loads(body)["code"]) == (status, code)


def test_an_answer_that_breaks_off_is_a_reset(stage: Stage) -> None:
    with Backend(
        lambda peer: (peer.message(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
    ) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request()
            while number not in client.resets:
                assert client.step()
            assert (client.bodies[number], client.resets[number]) == (b"abc", ErrorCodes.INTERNAL_ERROR)


def test_a_client_that_resets_its_stream_cancels_the_request(stage: Stage) -> None:
    ended = Event()
    with Backend(lambda peer: (peer.message(), peer.rest(), ended.set())) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request()
            eventually(lambda: backend.peers)
            client.h2.reset_stream(number)
            client.flush()
            assert ended.wait(10)
            eventually(stage.is_quiet)
            assert stage.cell(layout.CLIENT_GONE) == 1


def test_an_early_answer_stops_the_request(stage: Stage) -> None:
    with Backend(lambda peer: (peer.head(), peer.send(response(b"enough")), peer.rest())) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request("/", "POST", ends=False)
            client.send(number, b"x" * 1000)
            assert client.wait(number) == (200, b"enough")
            while number not in client.resets:
                assert client.step()
            assert client.resets[number] == ErrorCodes.NO_ERROR


def test_a_slow_client_is_not_read_ahead_for(stage: Stage) -> None:
    sent = [0]

    def flood(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            peer.send(b"x" * 100_000)
            sent[0] += 100_000

    with Backend(flood) as backend:
        stage.proxy_to(backend)
        with connect(stage, window=1) as client:
            client.takes = False
            number = client.request()
            gevent.spawn(client.wait_for_end)
            settled(lambda: sent[0])
            assert sent[0] < 15_000_000
            assert len(client.bodies[number]) <= 65_536
            eventually(lambda: number in client.resets)
        eventually(stage.is_quiet)
        assert stage.cell(layout.CLIENT_GONE) == 1


@pytest.mark.parametrize("of_stream", [False, True])
def test_a_client_that_opens_its_windows_too_slowly_is_not_waited_for(tmp_path: Path, of_stream: bool) -> None:
    stage = Stage(tmp_path, gproxy={"http2": "all"}, timeouts={"body_s": 0.3}, limits={"slowest_bytes_per_s": 10_000})
    try:
        with Backend(answers(response(b"x" * 100_000))) as backend:
            stage.proxy_to(backend)
            with connect(stage) as client:
                client.takes = False
                number = client.request()
                reading = gevent.spawn(client.wait_for_end)
                eventually(lambda: len(client.bodies[number]) == 65_535)
                with limited():
                    while number not in client.resets:  # each time well before the longest wait is over
                        client.h2.increment_flow_control_window(1, number if of_stream else None)
                        client.flush()
                        gevent.sleep(0.02)
                reading.kill()
                assert stage.cell(layout.SLOW_READERS) == 1
    finally:
        stage.close()


def test_answers_that_are_at_hand_wait_for_the_client_before_they_are_frames(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = [0]
    flush = Session._flush

    def noting(session: Session) -> None:
        most[0] = max(most[0], len(session._out) + len(session._h2._data_to_send))
        flush(session)

    monkeypatch.setattr(Session, "_flush", noting)
    with Backend(answers(response(b"x" * 900_000, b"Cache-Control: max-age=60"))) as backend:
        stage.proxy_to(backend, cache={})
        with connect(stage, window=1 << 30) as client:
            client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 30})
            client.flush()
            client.wait(client.request())
            numbers = [client.request() for _ in range(20)]
            assert [len(client.wait(number)[1]) for number in numbers] == [900_000] * 20
        assert len(backend.peers) == 1
    assert 100_000 < most[0] < 300_000


def test_streams_that_wait_for_the_connection_take_turns(stage: Stage) -> None:
    with Backend(answers(response(bytes(400_000)))) as backend:
        stage.proxy_to(backend)
        with connect(stage, window=1) as client:
            client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
            client.takes = False
            numbers = [client.request() for _ in range(2)]
            began: list[int] = []
            with limited():
                for step in range(11):
                    while sum(map(len, client.bodies.values())) != 65_536 + step * 10_000:
                        client.step()
                    began = began or [len(client.bodies[number]) for number in numbers]
                    client.h2.increment_flow_control_window(10_000)
                    client.flush()
            taken = [len(client.bodies[number]) - at for number, at in zip(numbers, began, strict=True)]
            assert sum(taken) == 100_000
            assert min(taken) >= 40_000, "who comes to the end of a piece leaves the rest of its turn to the other"


def test_a_body_that_stops_coming_is_too_late(tmp_path: Path) -> None:
    stage = Stage(tmp_path, gproxy={"http2": "all"}, timeouts={"body_s": 0.2})
    try:
        with Backend(lambda peer: peer.rest()) as backend:
            stage.proxy_to(backend)
            with connect(stage) as client:
                number = client.request("/", "POST", ends=False, content_length="10")
                client.send(number, b"abc")
                status, body = client.wait(number)
                assert (status, json.loads(body)["code"]) == (408, "request_timeout")
    finally:
        stage.close()


def test_compressed_answers(stage: Stage) -> None:
    whole, large = b"text " * 1000, b"text " * 50_000
    for content in (whole, large):
        with Backend(answers(response(content, b"Content-Type: text/plain"))) as backend:
            stage.proxy_to(backend, compress={})
            with connect(stage) as client:
                _, body = client.wait(client.request(accept_encoding="gzip"))
                assert gzip.decompress(body) == content
                head = client.heads[1]
                assert (head["content-encoding"], head.get("content-length", str(len(body)))) == (
                    "gzip",
                    str(len(body)),
                )
