import pytest

from gproxy.core.errors import BadRequest, ExpectationFailed, HeadTooLarge
from gproxy.core.http1 import CHUNKED, RequestFields, parse_request_fields, split_fields

HOST = b"Host: a\r\n"


def parse(block: bytes, minor: bytes = b"1") -> RequestFields:
    return parse_request_fields(block, minor, 100)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b"A : b\r\n", "white space before its colon"),
        (b"A\t: b\r\n", "white space before its colon"),
        (b" A: b\r\n", "folded"),
        (b"A: b\r\n c\r\n", "folded"),
        (b"A: b\r\n\tc\r\n", "folded"),
        (b"A\r\n", "no colon"),
        (b"\r\n", "no colon"),
        (b": b\r\n", "invalid name"),
        (b"A b: c\r\n", "invalid name"),
        (b"A(: c\r\n", "invalid name"),
        (b"\xc4: c\r\n", "invalid name"),
        (b"A\x00: c\r\n", "invalid name"),
        (b"A: b\x00c\r\n", "invalid character in its value"),
        (b"A: b\x1bc\r\n", "invalid character in its value"),
        (b"A: b\x7fc\r\n", "invalid character in its value"),
        (b"A: b\rc\r\n", "invalid character in its value"),
        (b"A: b\r\r\n", "invalid character in its value"),
        (b"A: b\nC: d\r\n", "invalid character in its value"),
        (b"A: b\n", "malformed"),
        (b"A: b", "malformed"),
    ],
)
@pytest.mark.parametrize("first", [b"", HOST])
def test_malformed_lines_are_named(first: bytes, lines: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        parse(first + lines)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", "two Content-Length"),
        (b"Content-Length: 5\r\ncontent-length: 6\r\n", "two Content-Length"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "both"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "both"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "two Transfer-Encoding"),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "two Transfer-Encoding"),
        *((b"Transfer-Encoding: %b\r\n" % value, "only transfer coding") for value in (
            b"", b"gzip", b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked,",
            b"chunked;q=1", b"xchunked", b'"chunked"', b"\xa0chunked",
        )),
        *((b"Content-Length: %b\r\n" % value, "not a number") for value in (
            b"", b"+5", b"-5", b"5 5", b"5,5", b"5, 5", b"0x5", b"5.0", b"5e1", b"five", b"1_0", b"\xb2",
            b"9" * 19,
        )),
        (b"Host: a\r\n", "two Host"),
        (b"host: b\r\n", "two Host"),
    ],
)  # fmt: skip
def test_ambiguous_framing_is_refused(lines: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        parse(HOST + lines)


def test_http10_has_no_transfer_coding() -> None:
    with pytest.raises(BadRequest, match=r"HTTP/1\.0"):
        parse(HOST + b"Transfer-Encoding: chunked\r\n", b"0")


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"", 0),
        (b"Content-Length: 0\r\n", 0),
        (b"CONTENT-LENGTH:7\r\n", 7),
        (b"Content-Length: \t 007 \t\r\n", 7),
        (b"Content-Length: 999999999999999999\r\n", 999999999999999999),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED),
        (b"transfer-encoding:\tCHUNKED \r\n", CHUNKED),
    ],
)
def test_framing(lines: bytes, length: int) -> None:
    assert parse(HOST + lines).length == length


def test_only_http10_may_leave_host_out() -> None:
    with pytest.raises(BadRequest, match="no Host"):
        parse(b"A: b\r\n")
    fields = parse(b"A: b\r\n", b"0")
    assert (fields.host, fields.host_value, fields.forward) == (b"", b"", b"A: b\r\n")


def test_an_empty_host_of_http10_is_no_host() -> None:
    # The gateway puts a Host in front of what has none: an empty one must not stay beside it.
    fields = parse(b"Host:\r\nA: b\r\n", b"0")
    assert (fields.host, fields.host_value, fields.forward) == (b"", b"", b"A: b\r\n")


@pytest.mark.parametrize(
    ("minor", "lines", "close", "keep_alive"),
    [
        (b"1", b"", False, False),
        (b"1", b"Connection: close\r\n", True, False),
        (b"1", b"Connection: x, CLOSE\r\n", True, False),
        (b"1", b"Connection: x\r\nConnection:close ,y\r\n", True, False),
        (b"1", b"Connection: closed\r\n", False, False),
        (b"1", b"Connection: ,,\r\n", False, False),
        (b"0", b"Connection: Keep-Alive\r\n", False, True),
    ],
)
def test_persistence(minor: bytes, lines: bytes, close: bool, keep_alive: bool) -> None:
    fields = parse(HOST + lines, minor)
    assert (fields.close, fields.keep_alive) == (close, keep_alive)


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: a\r\n", b"Keep-Alive: timeout=5\r\n", b"Proxy-Connection: keep-alive\r\n", b"TE: trailers\r\n",
        b"Upgrade: websocket\r\n", b"Proxy-Authorization: Basic eA==\r\n", b"Proxy-Authenticate: Basic\r\n",
        b"Trailer: X\r\n",
    ],
)  # fmt: skip
def test_hop_by_hop_fields_stay_here(line: bytes) -> None:
    assert parse(HOST + line + b"B: c\r\n").forward == HOST + b"B: c\r\n"


def test_fields_named_in_connection_are_taken_out() -> None:
    block = b"X-A: 1\r\nHost: a\r\nConnection: x-a, X-B\r\nX-B: 2\r\nx-a: 3\r\nX-AB: 4\r\n"
    assert parse(block).forward == b"Host: a\r\nX-AB: 4\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer t\r\n", b"Cookie: a=b\r\n", b"Content-Type: text/plain\r\n",
        b"Content-Encoding: gzip\r\n", b"Content-Length: 4\r\n", b"Via: 1.1 x\r\n", b"Cache-Control: no-store\r\n",
    ],
)  # fmt: skip
def test_connection_cannot_name_protected_fields(line: bytes) -> None:
    name = line.partition(b":")[0]
    assert parse(b"Connection: host, %b\r\n%b%b" % (name, HOST, line)).forward == HOST + line


def test_connection_cannot_take_the_framing_away() -> None:
    fields = parse(HOST + b"Connection: transfer-encoding, trailer\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n")
    assert fields.forward == HOST + b"Transfer-Encoding: chunked\r\nTrailer: x\r\n"
    assert fields.length == CHUNKED


def test_claims_are_held_back_and_joined() -> None:
    block = HOST + b"X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nFORWARDED: for=x\r\nX-Request-Id: i\r\n"
    fields = parse(block + b"X-Real-IP: 3.3.3.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n")
    assert fields.forward == HOST
    assert fields.claims == {
        b"x-forwarded-for": b"1.1.1.1, 2.2.2.2",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"h",
        b"forwarded": b"for=x",
        b"x-request-id": b"i",
        b"x-real-ip": b"3.3.3.3",
    }


@pytest.mark.parametrize(
    "name",
    [
        *(b"X_Forwarded_For", b"x-forwarded_for", b"X_FORWARDED-PROTO", b"X_Real_IP", b"client_cert"),
        *(b"X-Client_Cert-Subject", b"x_forwarded_prefix", b"Proxy"),
    ],
)
def test_what_servers_would_take_for_claims_goes_nowhere(name: bytes) -> None:
    fields = parse_request_fields(b"Host: a\r\n%b: evil\r\nTrailer: %b\r\nX: y\r\n" % (name, name), b"1", 100)
    assert b"evil" not in fields.forward
    assert b"X: y" in fields.forward
    assert fields.claims == {}


@pytest.mark.parametrize("name", [b"X-Forwarded-Port", b"X-Forwarded-Prefix", b"X-Forwarded-Ssl", b"Client-Cert"])
def test_claims_that_others_make_are_held_back_too(name: bytes) -> None:
    fields = parse_request_fields(b"Host: a\r\n%b: 1\r\n" % name, b"1", 100)
    assert fields.claims == {name.lower(): b"1"}
    assert fields.forward == b"Host: a\r\n"


def test_underscores_are_allowed_in_other_names() -> None:
    assert b"user_id: 1" in parse_request_fields(b"Host: a\r\nuser_id: 1\r\n", b"1", 100).forward


def test_connection_cannot_name_claims() -> None:
    fields = parse(HOST + b"Connection: x-forwarded-for\r\nX-Forwarded-For: 1.1.1.1\r\n")
    assert fields.claims == {b"x-forwarded-for": b"1.1.1.1"}


def test_announced_trailers() -> None:
    block = HOST + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum, Content-Length\r\nTrailer: Host,x-b,Forwarded\r\n"
    assert parse(block).trailers == {b"x-sum", b"x-b"}


@pytest.mark.parametrize(("minor", "waits"), [(b"1", True), (b"0", False)])
def test_expect_100_continue(minor: bytes, waits: bool) -> None:
    fields = parse(HOST + b"Expect: 100-Continue\r\nContent-Length: 1\r\n", minor)
    assert fields.expects_continue is waits
    assert b"Expect: 100-Continue\r\n" in fields.forward


@pytest.mark.parametrize(
    "lines",
    [
        b"Expect: x\r\n",
        b"Expect:\r\n",
        b"Expect: 100-continue, x\r\n",
        b"Expect: x\r\nExpect: 100-continue\r\n",
        b"Expect: 100-continue\r\nExpect: x\r\n",
    ],
)
def test_other_expectations_fail(lines: bytes) -> None:
    with pytest.raises(ExpectationFailed):
        parse(HOST + lines)


def test_the_number_of_fields_is_limited() -> None:
    block = HOST + b"A: b\r\n" * 9
    assert parse_request_fields(block, b"1", 10).forward == block
    with pytest.raises(HeadTooLarge, match="more than 9"):
        parse_request_fields(block, b"1", 9)


def test_split_fields() -> None:
    block = b"A:b\r\nA: \t c d \t\r\nB:\r\nC: x:y\r\nD: \xe9\r\n"
    assert split_fields(block) == [(b"A", b"b"), (b"A", b"c d"), (b"B", b""), (b"C", b"x:y"), (b"D", b"\xe9")]
