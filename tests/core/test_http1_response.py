import pytest

from gproxy.core.http1 import CHUNKED, UNTIL_CLOSE, ResponseHead, parse_response_head


def parse(lines: bytes, status_line: bytes = b"HTTP/1.1 200 OK\r\n") -> ResponseHead:
    return parse_response_head(status_line + lines, 100)


@pytest.mark.parametrize(
    ("line", "status", "sent_on"),
    [
        (b"HTTP/1.1 200 OK", 200, b"HTTP/1.1 200 OK"),
        (b"HTTP/1.0 404 Not Found", 404, b"HTTP/1.1 404 Not Found"),
        (b"HTTP/1.1 204 ", 204, b"HTTP/1.1 204 "),
        (b"HTTP/1.1 204", 204, b"HTTP/1.1 204 "),
        (b"HTTP/1.1 100 Continue", 100, b"HTTP/1.1 100 Continue"),
        (b"HTTP/1.1 999 \xe9\tx", 999, b"HTTP/1.1 999 \xe9\tx"),
    ],
)
def test_status_lines(line: bytes, status: int, sent_on: bytes) -> None:
    head = parse(b"A: b\r\n", line + b"\r\n")
    assert (head.status, head.lines) == (status, sent_on + b"\r\nA: b\r\n")
    assert head.head == head.lines + b"\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 \r\n", b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n", b"HTTP/1.1 2x0 OK\r\n", b"HTTP/1.1  200 OK\r\n", b"HTTP/1.1\t200 OK\r\n",
        b"HTTP/1.1 200\tOK\r\n", b"HTTP/1.2 200 OK\r\n", b"HTTP/2 200\r\n", b"HTTP/2.0 200 OK\r\n",
        b"http/1.1 200 OK\r\n", b" HTTP/1.1 200 OK\r\n", b"\r\nHTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\n",
        b"HTTP/1.1 200 O\rK\r\n", b"HTTP/1.1 200 O\x00K\r\n", b"ICY 200 OK\r\n", b"<html>\r\n",
    ],
)  # fmt: skip
def test_status_lines_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="invalid status line"):
        parse(b"A: b\r\n", line)


@pytest.mark.parametrize(
    "lines",
    [
        b"A : b\r\n", b" A: b\r\n", b"A: b\r\n c\r\n", b"A\r\n", b": b\r\n", b"A b: c\r\n", b"A: b\x00\r\n",
        b"A: b\rc\r\n", b"A: b\nc: d\r\n", b"A: b\n", b"\r\n", b"A: b\x7f\r\n",
    ],
)  # fmt: skip
def test_malformed_fields_are_refused(lines: bytes) -> None:
    with pytest.raises(ValueError, match="invalid header field"):
        parse(lines)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", "two Content-Length"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "ambiguous"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "ambiguous"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "two Transfer-Encoding"),
        (b"Transfer-Encoding: gzip\r\n", "ambiguous"),
        (b"Transfer-Encoding: gzip, chunked\r\n", "ambiguous"),
        (b"Transfer-Encoding: \r\n", "ambiguous"),
        (b"Transfer-Encoding: identity\r\n", "ambiguous"),
        *((b"Content-Length: %b\r\n" % value, "invalid Content-Length") for value in (
            b"", b"-1", b"+1", b"1,1", b"1 1", b"0x1", b"1.0", b"\xb2", b"1" * 19
        )),
    ],
)  # fmt: skip
def test_ambiguous_framing_is_refused(lines: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(lines)


def test_http10_cannot_be_chunked() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        parse(b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0 200 OK\r\n")


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"", UNTIL_CLOSE),
        (b"Content-Length: 0\r\n", 0),
        (b"content-length:\t12 \r\n", 12),
        (b"Transfer-Encoding: Chunked\r\n", CHUNKED),
    ],
)
def test_framing(lines: bytes, length: int) -> None:
    assert parse(lines).length == length


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [(b"HTTP/1.1 200 OK\r\n", True), (b"HTTP/1.1 304 Not Modified\r\n", True), (b"HTTP/1.1 103 x\r\n", False),
     (b"HTTP/1.1 204 No Content\r\n", False)],
)  # fmt: skip
def test_a_length_is_sent_on_where_one_may_be(line: bytes, is_kept: bool) -> None:
    # RFC 9110 8.6: never in 1xx and 204
    assert (b"Content-Length" in parse(b"Content-Length: 3\r\n", line).lines) is is_kept


@pytest.mark.parametrize(
    ("line", "lines", "close"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"", False),
        (b"HTTP/1.1 200 OK\r\n", b"Connection: keep-alive\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", b"Connection: keep-alive, Close\r\n", True),
        (b"HTTP/1.0 200 OK\r\n", b"", True),
        (b"HTTP/1.0 200 OK\r\n", b"Connection: Keep-Alive\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", b"Connection: keep-alive, close\r\n", True),
        (b"HTTP/1.1 204 x\r\n", b"", False),
        (b"HTTP/1.1 204 x\r\n", b"Content-Length: 0\r\n", False),
        (b"HTTP/1.1 204 x\r\n", b"Content-Length: 5\r\n", True),  # a body that may not be, and yet may follow
        (b"HTTP/1.1 204 x\r\n", b"Transfer-Encoding: chunked\r\n", True),
        (b"HTTP/1.1 304 x\r\n", b"Content-Length: 5\r\n", False),
    ],
)
def test_persistence(line: bytes, lines: bytes, close: bool) -> None:
    assert parse(lines, line).close is close


@pytest.mark.parametrize(
    ("value", "idle_s"),
    [
        (b"timeout=5", 5),
        (b"timeout=5, max=100", 5),
        (b"max=100, Timeout=75", 75),
        (b"max=1;timeout=3", 3),
        (b"max=100", 0),
        (b"timeout=x", 0),
        (b"xtimeout=5", 0),
        (b"", 0),
    ],
)
def test_idle_limit_of_the_server(value: bytes, idle_s: int) -> None:
    assert parse(b"Keep-Alive: %b\r\n" % value).idle_s == idle_s


def test_what_belongs_to_the_connection_stays_here() -> None:
    lines = (
        b"Server: x\r\nConnection: X-A, upgrade, set-cookie\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n"
        b"Upgrade: h2c\r\nProxy-Connection: x\r\nProxy-Authenticate: Basic\r\nTrailer: X-Sum\r\nTE: x\r\n"
        b"Transfer-Encoding: chunked\r\nset-cookie: c=d\r\n"
    )
    head = parse(lines)
    assert head.lines == b"HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n"
    assert head.trailers == {b"x-sum"}


def test_claims_are_ordinary_fields_of_a_response() -> None:
    assert b"X-Request-Id: i\r\n" in parse(b"X-Request-Id: i\r\n").lines


def test_framing_fields_cannot_be_announced_as_trailers() -> None:
    lines = b"Transfer-Encoding: chunked\r\nTrailer: content-length, Transfer-Encoding, set-cookie, x\r\n"
    assert parse(lines).trailers == {b"x"}


def test_the_number_of_fields_is_limited() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10
    assert parse_response_head(head, 10).lines == head
    with pytest.raises(ValueError, match="more than 9"):
        parse_response_head(head, 9)
