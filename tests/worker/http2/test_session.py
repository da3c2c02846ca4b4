"""Connections as such: how they begin and end, and clients that only keep us busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from gevent.event import Event
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.http2.stream import Stream
from tests.worker.http2.client import Http2Peer
from tests.worker.peer import Backend, Peer, answers, eventually, limited, response, settled
from tests.worker.stage import Stage, in_loop


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, gproxy={"http2": "all"}, limits={"http2_streams": 3})
    yield made
    made.close()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Stage]:
    gproxy = {"http2": "all", "graceful_timeout_s": 0.6}
    made = Stage(tmp_path, gproxy=gproxy, timeouts={"client_idle_s": 0.3, "head_s": 0.3})
    yield made
    made.close()


def connect(stage: Stage) -> Http2Peer:
    return Http2Peer(stage.connect())


def test_without_it_the_preface_is_no_request(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        client = stage.connect()
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.message()[0].startswith(b"HTTP/1.1 400 ")
    finally:
        stage.close()


@pytest.mark.parametrize("step", [1, 5])
def test_the_beginning_may_come_in_pieces(stage: Stage, step: int) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        client = Http2Peer.__new__(Http2Peer)
        whole: list[bytes] = []

        class Collecting(Peer):
            def send(self, data: bytes) -> None:
                whole.append(data)

        collecting = Collecting(peer.sock)
        client.__init__(collecting)  # type: ignore[misc]
        number = client.request()
        data = b"".join(whole)
        for at in range(0, len(data), step):
            peer.send(data[at : at + step])
        client.peer = peer
        assert client.wait(number) == (200, b"ok")


def test_what_is_no_http_2_is_told_and_ended(stage: Stage) -> None:
    with connect(stage) as client:
        client.step()
        client.peer.send(b"\x00\x00\x01\x00\x00\x00\x00\x00\x01x")  # DATA on a stream that was never opened
        client.wait_for_end()
        assert client.goodbye == ErrorCodes.PROTOCOL_ERROR
    eventually(lambda: not stage.runtime.clients)


def test_a_client_knows_our_limits(stage: Stage) -> None:
    with connect(stage) as client:
        client.step()
        settings = client.h2.remote_settings
        assert settings.max_concurrent_streams == 3
        assert settings[SettingCodes.MAX_HEADER_LIST_SIZE] == 32768


@pytest.mark.parametrize("knows", [False, True])
def test_a_head_that_is_too_large_is_told_on_its_stream(stage: Stage, knows: bool) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            if knows:
                client.step()  # and we know that it does
            assert client.wait(client.request("/", x_large="a" * 40_000))[0] == 431
            assert client.wait(client.request()) == (200, b"ok")
            client.request("/", x_large="a" * 70_000)
            client.wait_for_end()
            assert client.goodbye == ErrorCodes.ENHANCE_YOUR_CALM


def test_more_streams_than_there_may_be_are_refused(stage: Stage) -> None:
    with Backend(lambda peer: peer.rest()) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            numbers = [client.request() for _ in range(8)]  # it has not seen our settings yet
            while len(client.resets) < 2:
                assert client.step()
            assert client.resets == dict.fromkeys(numbers[6:], ErrorCodes.REFUSED_STREAM)


def test_a_client_that_says_nothing_is_not_waited_for(impatient: Stage) -> None:
    with connect(impatient) as client:
        client.wait_for_end()
        assert client.goodbye == ErrorCodes.NO_ERROR
    eventually(lambda: not impatient.runtime.clients)
    assert not impatient.runtime.sessions


def test_an_idle_client_is_told_goodbye(impatient: Stage) -> None:
    with Backend(answers(response())) as backend:
        impatient.proxy_to(backend)
        with connect(impatient) as client:
            client.wait(client.request())
            client.wait_for_end()
            assert client.goodbye == ErrorCodes.NO_ERROR


def test_a_worker_that_leaves_finishes_what_has_begun(impatient: Stage) -> None:
    go_on = Event()
    stage = impatient
    with Backend(lambda peer: (peer.message(), go_on.wait(), peer.send(response()))) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request()
            eventually(lambda: backend.peers)
            in_loop(stage.runtime.drain)
            while not client.hints:
                client.step()
            go_on.set()
            assert client.wait(number) == (200, b"ok")
            client.wait_for_end()
            assert client.goodbye == ErrorCodes.NO_ERROR
    eventually(lambda: not stage.runtime.clients)


@pytest.mark.parametrize(("code", "is_answered"), [(ErrorCodes.NO_ERROR, True), (ErrorCodes.INTERNAL_ERROR, False)])
def test_a_client_that_says_goodbye_gets_what_it_has_asked_for(
    stage: Stage, code: ErrorCodes, is_answered: bool
) -> None:
    go_on = Event()
    with Backend(lambda peer: (peer.message(), go_on.wait(), peer.send(response()))) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            number = client.request()
            eventually(lambda: backend.peers)
            client.peer.send(GoAwayFrame(0, error_code=code).serialize())
            settled(lambda: stage.runtime.clients)
            go_on.set()
            if is_answered:
                assert client.wait(number) == (200, b"ok")
                client.peer.send(GoAwayFrame(0).serialize())
            client.wait_for_end()
            assert client.ended == ({number} if is_answered else set())
        eventually(lambda: not stage.runtime.clients)


def test_a_worker_that_leaves_answers_a_first_request_that_is_under_way(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            eventually(lambda: stage.runtime.sessions)
            in_loop(stage.runtime.drain)
            assert client.wait(client.request()) == (200, b"ok")
            client.wait_for_end()
            assert client.goodbye == ErrorCodes.NO_ERROR
    eventually(lambda: not stage.runtime.clients)


def resets(client: Http2Peer) -> bytes:
    for _ in range(150):
        number = client.request()
        client.h2.reset_stream(number)
    return client.h2.data_to_send()


def pings(client: Http2Peer) -> bytes:
    return PingFrame(0, b"12345678").serialize() * 300


def settings(client: Http2Peer) -> bytes:
    return SettingsFrame(0, {SettingCodes.INITIAL_WINDOW_SIZE: 70_000}).serialize() * 300


def empty_data(client: Http2Peer) -> bytes:
    number = client.request("/", "POST", ends=False)
    return DataFrame(number, b"").serialize() * 300


@pytest.mark.parametrize("flood", [resets, pings, settings, empty_data])
def test_a_client_that_only_keeps_us_busy_is_disconnected(stage: Stage, flood: Callable[[Http2Peer], bytes]) -> None:
    with Backend(lambda peer: peer.rest()) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            client.step()
            client.flush()
            client.peer.send(flood(client))
            client.wait_for_end()
            assert client.goodbye == ErrorCodes.ENHANCE_YOUR_CALM
        eventually(stage.is_quiet)
    assert stage.cell(layout.HTTP2_ABUSE) == 1


def test_windows_that_are_opened_in_tiny_steps_wake_a_story_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with Backend(answers(response(b"x" * 100_000))) as backend:
        stage.proxy_to(backend)
        with Http2Peer(stage.connect()) as client:
            client.takes = False
            number = client.request()
            with limited():
                while len(client.bodies[number]) < 65_535:
                    client.step()
            woken: list[int] = []
            monkeypatch.setattr(Stream, "may_send", lambda stream: woken.append(stream.number))
            (session,) = stage.runtime.sessions
            steps = [WindowUpdateFrame(of, window_increment=1).serialize() for of in (0, number)]
            in_loop(lambda: session._take(b"".join(steps) * 100))
            assert len(woken) == 1


@pytest.mark.parametrize("size", [0, 1, 16_000])
def test_a_head_without_end_is_not_collected(stage: Stage, size: int) -> None:
    with connect(stage) as client:
        client.step()
        frame = HeadersFrame(1, b"\x00\x01a\x7f\xff\xff\xff\x0f" + b"a" * 1000)
        client.peer.send(frame.serialize())
        piece = ContinuationFrame(1, b"a" * size).serialize()  # without bounds on their number: CVE-2024-27316
        with suppress(OSError):
            for _ in range(100):
                client.peer.send(piece)
            client.wait_for_end()
    eventually(lambda: not stage.runtime.clients)


def test_a_session_that_ends_before_its_stories_is_let_go_of(stage: Stage) -> None:
    with Backend(lambda peer: peer.rest()) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            client.request()
            eventually(lambda: backend.peers)
            (session,) = stage.runtime.sessions
        eventually(stage.is_quiet)
        assert (session.due, stage.runtime.sessions) == (NEVER, set())


def test_what_was_reset_at_once_is_not_asked_for(stage: Stage) -> None:
    seen = []

    def server(peer: Peer) -> None:
        while head := peer.message()[0]:
            seen.append(head.split()[1])
            peer.send(response())

    with Backend(server) as backend:
        stage.proxy_to(backend)
        with connect(stage) as client:
            assert client.wait(client.request("/first"))[0] == 200
            number = client.h2.get_next_available_stream_id()
            fields = [(":method", "POST"), (":path", "/reset"), (":scheme", "https"), (":authority", "a")]
            client.h2.send_headers(number, fields, True)
            client.h2.reset_stream(number)
            assert client.wait(client.request("/last"))[0] == 200
        eventually(stage.is_quiet)
    assert seen == [b"/first", b"/last"]
    assert (stage.requests(), stage.cell(layout.CLIENT_GONE)) == (3, 1)
