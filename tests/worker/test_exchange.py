from time import monotonic

import pytest

from gproxy.core.errors import BadRequest, BodyTooLarge
from gproxy.worker.deadlines import NEVER
from gproxy.worker.exchange import Exchange
from tests.worker.stage import Stage

HOST = b"Host: a\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"


def with_body(stage: Stage, block: bytes, buffer: bytes, limit: int = 0) -> Exchange:
    exchange = stage.exchange(block, b"POST")
    exchange.client.buffer = buffer
    exchange.take_body(limit)
    return exchange


@pytest.mark.parametrize(
    ("minor", "connection", "keeps_alive"),
    [
        (b"1", b"", True),
        (b"1", b"Connection: close\r\n", False),
        (b"1", b"Connection: keep-alive, close\r\n", False),
        (b"0", b"", False),
        (b"0", b"Connection: keep-alive\r\n", True),
        (b"0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_persistence(stage: Stage, minor: bytes, connection: bytes, keeps_alive: bool) -> None:
    assert stage.exchange(HOST + connection, minor=minor).keeps_alive is keeps_alive


def test_request_ids_are_unique(stage: Stage) -> None:
    ids = [stage.exchange().request_id for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(request_id.isascii() for request_id in ids)


@pytest.mark.parametrize(
    ("buffer", "body", "left", "rest"),
    [
        (b"", b"", 5, b""),
        (b"abc", b"abc", 2, b""),
        (b"abcde", b"abcde", 0, b""),
        (b"abcdeGET /", b"abcde", 0, b"GET /"),
    ],
)
def test_a_body_of_known_length(stage: Stage, buffer: bytes, body: bytes, left: int, rest: bytes) -> None:
    exchange = with_body(stage, HOST + b"Content-Length: 5\r\n", buffer)
    assert (exchange.body, exchange.left, exchange.client.buffer) == (body, left, rest)
    assert exchange.received == len(body)
    assert exchange.is_body_read() is (left == 0)


@pytest.mark.parametrize(
    ("buffer", "body", "left", "rest", "received"),
    [
        (b"", b"", -1, b"", 0),
        (b"3\r\nab", b"2\r\nab\r\n", -1, b"", 2),
        (b"1\r\na\r\n2\r\nbc\r\n", b"3\r\nabc\r\n", -1, b"", 3),
        (b"3;x\r\nabc\r\n0\r\n\r\nGET /", b"3\r\nabc\r\n0\r\n\r\n", 0, b"GET /", 3),
        (b"0\r\n\r\n", b"0\r\n\r\n", 0, b"", 0),
        (b"0\r\nX-Sum: 1\r\nEvil: 2\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n", 0, b"", 0),
    ],
)
def test_a_chunked_body_is_framed_anew(
    stage: Stage, buffer: bytes, body: bytes, left: int, rest: bytes, received: int
) -> None:
    exchange = with_body(stage, CHUNKED, buffer)
    assert (exchange.body, exchange.left, exchange.client.buffer) == (body, left, rest)
    assert exchange.received == received
    assert exchange.is_body_read() is (left == 0)
    assert (exchange.decoder is None) is (left == 0)


def test_a_chunked_body_goes_on(stage: Stage) -> None:
    exchange = with_body(stage, CHUNKED, b"3\r\na")
    assert exchange.decoder is not None
    assert exchange.take_chunks(exchange.decoder, b"bc\r\n0\r\n\r\nX", 0) == b"2\r\nbc\r\n0\r\n\r\n"
    assert (exchange.decoder.done, exchange.decoder.rest, exchange.received) == (True, b"X", 3)


def test_a_broken_chunk(stage: Stage) -> None:
    with pytest.raises(BadRequest):
        with_body(stage, CHUNKED, b"x\r\n")


@pytest.mark.parametrize(
    ("block", "buffer", "is_too_large"),
    [
        (b"Content-Length: 5\r\n", b"", False),
        (b"Content-Length: 6\r\n", b"", True),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n0\r\n\r\n", False),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n3\r\nabc\r\n", True),
    ],
)
def test_the_size_is_limited(stage: Stage, block: bytes, buffer: bytes, is_too_large: bool) -> None:
    if not is_too_large:
        with_body(stage, HOST + block, buffer, limit=5)
        return
    with pytest.raises(BodyTooLarge):
        with_body(stage, HOST + block, buffer, limit=5)


def test_outgoing_fields_may_be_edited(stage: Stage) -> None:
    exchange = stage.exchange(HOST + b"A: b\r\n")
    assert exchange.outgoing().startswith(HOST + b"A: b\r\nX-Forwarded-For: 127.0.0.1\r\n")
    for edited in (b"Host: b\r\n", b""):
        exchange.forward = edited
        assert exchange.outgoing() == edited


def test_fields(stage: Stage) -> None:
    exchange = stage.exchange(HOST + b"User-Agent: x\r\nuser-agent: y\r\n")
    assert exchange.field(b"user-agent") == b"x"
    assert exchange.field(b"referer") is None


def test_deadlines_of_a_phase(stage: Stage) -> None:
    exchange = stage.exchange()
    assert (exchange.until(0), exchange.remaining(0)) == (NEVER, NEVER)
    assert exchange.remaining(5) == pytest.approx(5, abs=0.5)
    exchange.deadline = monotonic() + 2
    assert exchange.until(0) == exchange.until(5) == exchange.deadline
    assert exchange.until(1) < exchange.deadline
    assert [exchange.remaining(0), exchange.remaining(9)] == pytest.approx([2, 2], abs=0.5)
    exchange.deadline = 0
    assert exchange.remaining(5) < 0
