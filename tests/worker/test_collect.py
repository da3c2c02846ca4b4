"""Answers taken whole, from real servers: every framing, and every way to break."""

from collections.abc import Callable

import gevent
import pytest

from gproxy.core.errors import BadUpstream, GatewayError, UpstreamTimeout
from gproxy.core.errors import Stage as Progress
from gproxy.shared import layout
from gproxy.worker.collect import AnswerTooLarge
from gproxy.worker.part import Part
from tests.worker.parts import asked
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage

MOST = 200_000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\n"
LARGE = bytes(range(256)) * 500


def then_closes(*pieces: bytes) -> Callable[[Peer], None]:
    """Return a script that answers one request piece by piece and closes."""

    def script(peer: Peer) -> None:
        peer.message()
        for piece in pieces:
            peer.send(piece)
        peer.close()

    return script


def get(stage: Stage, script: Callable[[Peer], object], method: bytes = b"GET", timeout_s: float = 5) -> Part:
    """Ask a server that runs the script, twice, and return the second part: its connection is reused if it can be."""
    with Backend(script) as backend:
        stage.proxy_to(backend)
        asked(stage, MOST, method=method)
        return asked(stage, MOST, method=method, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("answer", "body", "reused"),
    [
        (response(b"hello"), b"hello", True),
        (response(b""), b"", True),
        (response(b"hello", b"Connection: close"), b"hello", False),
        (response(LARGE), LARGE, True),
        (CHUNKED + b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!", True),
        (CHUNKED + b"1f400\r\n" + LARGE + b"\r\n0\r\n\r\n", LARGE, True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b"", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response(b"late"), b"late", True),
    ],
)
def test_a_whole_answer(stage: Stage, answer: bytes, body: bytes, reused: bool) -> None:
    part = get(stage, answers(answer))
    assert (part.data, part.failure, part.code) == (body, None, "")
    assert stage.cell(layout.UPSTREAM_REUSED) == reused


@pytest.mark.parametrize("body", [b"hello", LARGE, b""])
def test_an_answer_that_ends_with_its_connection(stage: Stage, body: bytes) -> None:
    part = get(stage, then_closes(TO_THE_END, body))
    assert (part.data, part.failure) == (body, None)


def test_the_answer_to_head_has_no_body(stage: Stage) -> None:
    part = get(stage, answers(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"), b"HEAD")
    assert (part.status, part.data, stage.cell(layout.UPSTREAM_REUSED)) == (200, b"", 1)


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",), "closed 4 bytes before the end"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", LARGE[:99_999]), "closed 1 bytes before the end"),
        ((CHUNKED + b"5\r\nhel",), "closed before the end of the chunked body"),
        ((CHUNKED, b"5\r\nhello\r\n"), "closed before the end of the chunked body"),
        ((CHUNKED + b"nonsense\r\n",), "invalid chunked body"),
    ],
)
def test_an_answer_that_breaks_off(stage: Stage, pieces: tuple[bytes, ...], reason: str) -> None:
    failure = failed(get(stage, then_closes(*pieces)), BadUpstream)
    assert isinstance(failure, BadUpstream)
    assert (failure.stage, failure.status) == (Progress.ANSWERED, 502)
    assert reason in failure.reason


@pytest.mark.parametrize(
    "answer",
    [
        response(b"x" * (MOST + 1)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        CHUNKED + b"%x\r\n" % (MOST + 1) + b"x" * (MOST + 1),
        TO_THE_END + b"x" * (MOST + 1),
    ],
)
def test_an_answer_that_is_too_large(stage: Stage, answer: bytes) -> None:
    failure = failed(get(stage, answers(answer)), AnswerTooLarge)
    assert (failure.status, failure.code) == (502, "answer_too_large")
    assert stage.cell(layout.UPSTREAM_REUSED) == 0


@pytest.mark.parametrize("answer", [response(b"x" * MOST), CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (MOST, b"x" * MOST)])
def test_an_answer_may_be_as_large_as_it_may(stage: Stage, answer: bytes) -> None:
    assert len(get(stage, answers(answer)).data) == MOST


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", CHUNKED, TO_THE_END])
def test_a_body_that_does_not_come_in_time(stage: Stage, head: bytes) -> None:
    def script(peer: Peer) -> None:
        if peer.message()[0] and len(backend.peers) == 1:
            peer.send(response())
            peer.message()
        peer.send(head)
        peer.rest()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        asked(stage, MOST)
        failure = failed(asked(stage, MOST, timeout_s=0.05), UpstreamTimeout)
    assert isinstance(failure, UpstreamTimeout)
    assert (failure.stage, failure.status) == (Progress.ANSWERED, 504)


def test_a_body_whose_bytes_come_one_by_one_for_ever(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.message()
        peer.send(TO_THE_END)
        while True:
            peer.send(b"x")
            gevent.sleep(0.001)

    with Backend(script) as backend:
        stage.proxy_to(backend)
        failed(asked(stage, MOST, timeout_s=0.05), UpstreamTimeout)


def test_bytes_behind_a_body_end_the_connection(stage: Stage) -> None:
    part = get(stage, answers(response(b"hello") + b"HTTP/1.1 200"))
    assert (part.data, stage.cell(layout.UPSTREAM_REUSED)) == (b"hello", 0)


def failed(part: Part, kind: type[GatewayError]) -> GatewayError:
    assert type(part.failure) is kind
    assert part.failure is not None
    assert (part.status, part.code) == (part.failure.status, part.failure.code)
    return part.failure
