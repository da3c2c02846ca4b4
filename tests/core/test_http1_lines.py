import pytest

from gproxy.core.errors import BadRequest
from gproxy.core.http1 import (
    REQUEST_LINE,
    absolute_target,
    is_hopeless,
    parse_request_fields,
    routing_host,
    with_host,
)


@pytest.mark.parametrize(
    ("line", "groups"),
    [
        (b"GET / HTTP/1.1", (b"GET", b"/", b"1")),
        (b"GET / HTTP/1.0", (b"GET", b"/", b"0")),
        (b"get /?a=b&c=%20 HTTP/1.1", (b"get", b"/?a=b&c=%20", b"1")),
        (b"M-SEARCH * HTTP/1.1", (b"M-SEARCH", b"*", b"1")),
        (b"!#$%&'*+-.^_`|~09 / HTTP/1.1", (b"!#$%&'*+-.^_`|~09", b"/", b"1")),
        (b"GET http://a:80/x HTTP/1.1", (b"GET", b"http://a:80/x", b"1")),
        (b'GET /"<>\\^`{|} HTTP/1.1', (b"GET", b'/"<>\\^`{|}', b"1")),
    ],
)
def test_request_lines(line: bytes, groups: tuple[bytes, ...]) -> None:
    match = REQUEST_LINE.fullmatch(line)
    assert match is not None
    assert match.groups() == groups


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / HTTP/11",
        b"GET / HTTP/1.1x",
        b"GET / HTTP/01.1",
        b"GET /a b HTTP/1.1",
        b"GET /#x HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"G\xc9T / HTTP/1.1",
        b"GET / HTTP/1.1\n",
        b"CONNECT / HTTP/1.1",
        b"CONNECT /x HTTP/1.0",
    ],
)
def test_request_lines_refused(line: bytes) -> None:
    assert REQUEST_LINE.fullmatch(line) is None


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"a", b"a"),
        (b"EXAMPLE.com", b"example.com"),
        (b"example.com:8080", b"example.com"),
        (b"example.com:", b"example.com"),
        (b"example.com.", b"example.com"),
        (b"example.com.:80", b"example.com"),
        (b"127.0.0.1:80", b"127.0.0.1"),
        (b"[::1]", b"[::1]"),
        (b"[2001:DB8::1]:443", b"[2001:db8::1]"),
        (b"[::ffff:1.2.3.4]", b"[::ffff:1.2.3.4]"),
        (b"a" * 260, b"a" * 260),
        (b"a_b~c%20!$&'()*+;=", b"a_b~c%20!$&'()*+;="),
    ],
)
def test_hosts(value: bytes, host: bytes) -> None:
    assert routing_host(value) == host
    fields = parse_request_fields(b"Host:  %b \r\n" % value, b"1", 100)
    assert (fields.host, fields.host_value, fields.forward) == (host, value, b"Host: %b\r\n" % value)


@pytest.mark.parametrize(
    "value",
    [
        b"", b":80", b"a b", b"a,b", b"a:b", b"a:123456", b"a:80:80", b"a/b", b"a?b", b"a#b", b"u@a", b"u:p@a",
        b"[::1", b"::1", b"[::1]x", b"[v1.x]", b"[fe80::1%25eth0]", b"a\\b", b'a"b', b"\xe9", b"a\tb", b"http://a",
        b"a" * 261,
    ],
)  # fmt: skip
def test_hosts_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="not a valid host"):
        parse_request_fields(b"Host: %b\r\n" % value, b"1", 100)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"http://a", (b"a", b"/")),
        (b"HTTP://a:80/", (b"a:80", b"/")),
        (b"https://a/b?c", (b"a", b"/b?c")),
        (b"http://a?c", (b"a", b"/?c")),
        (b"http://a//b", (b"a", b"//b")),
        (b"http://a/http://b/", (b"a", b"/http://b/")),
        (b"http://[::1]:80/b", (b"[::1]:80", b"/b")),
    ],
)
def test_absolute_targets(target: bytes, parts: tuple[bytes, bytes]) -> None:
    assert absolute_target(target) == parts


@pytest.mark.parametrize(
    "target", [b"a", b"a:80", b"*x", b"http:/a", b"http://", b"http:///a", b"http://?a", b"ftp://a/", b"://a/", b"?a"]
)
def test_targets_that_are_neither_path_nor_uri(target: bytes) -> None:
    with pytest.raises(BadRequest, match="target"):
        absolute_target(target)


@pytest.mark.parametrize(
    ("block", "minor"), [(b"A: b\r\nHost: x\r\n", b"1"), (b"A: b\r\n", b"0"), (b"Host:\r\nA: b\r\n", b"0")]
)
def test_the_authority_of_the_target_replaces_host(block: bytes, minor: bytes) -> None:
    fields = with_host(parse_request_fields(block, minor, 100), b"B:81")
    assert (fields.host, fields.host_value, fields.forward) == (b"b", b"B:81", b"Host: B:81\r\nA: b\r\n")


@pytest.mark.parametrize("authority", [b"u@a", b"a b", b"a:b", b""])
def test_an_invalid_authority_is_refused(authority: bytes) -> None:
    with pytest.raises(BadRequest):
        with_host(parse_request_fields(b"Host: a\r\n", b"1", 100), authority)


@pytest.mark.parametrize(
    ("partial", "start", "expected"),
    [
        (b"", 0, False),
        (b"GET / HTTP/1.1\r\nHost: a\r", 0, False),
        (b"\r\nGET /", 0, False),
        (b"a\n", 0, True),
        (b"\n", 0, True),
        (b"a\rb", 0, True),
        (b"a\r\r", 0, True),
        (b"a\x00", 0, True),
        (b"a\x7f", 0, True),
        (b"a\tb\xff", 0, False),
        # The reads before ended in the middle of a line end.
        (b"a\r\nb", 1, False),
        (b"a\r\nb", 2, False),
        (b"a\rb", 1, True),
        (b"ab\n", 1, True),
        (b"ab\n", 2, True),
    ],
)
def test_hopeless_heads(partial: bytes, start: int, expected: bool) -> None:
    assert is_hopeless(partial, start) is expected
