import pytest

from gproxy.core.part_head import Caching, Kind, PartHead, cache_control, merged, most_s, part_head


def head(*lines: bytes) -> PartHead:
    return part_head(b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines))


@pytest.mark.parametrize(
    ("media", "kind", "charset"),
    [
        (b"application/json", Kind.JSON, ""),
        (b"Application/JSON; charset=UTF-8", Kind.JSON, "UTF-8"),
        (b"text/json", Kind.JSON, ""),
        (b'application/hal+json;charset="iso-8859-1"', Kind.JSON, "iso-8859-1"),
        (b"application/problem+json ; q=1", Kind.JSON, ""),
        (b"application/octet-stream", Kind.UNSAID, ""),
        (b"", Kind.UNSAID, ""),
        (b"text/plain; charset=latin1", Kind.TEXT, "latin1"),
        (b"application/x-ndjson", Kind.TEXT, ""),
        (b"application/jsonp", Kind.TEXT, ""),
    ],
)
def test_types(media: bytes, kind: Kind, charset: str) -> None:
    found = head(b"Content-Type: " + media)
    assert (found.kind, found.charset) == (kind, charset)


def test_a_head_that_says_nothing() -> None:
    assert head(b"Server: x") == PartHead(
        Kind.UNSAID, "", b"", b"", frozenset(), Caching(frozenset(), None, None), True
    )


def test_coding_cookies_and_vary() -> None:
    found = head(b"content-encoding: GZIP", b"set-cookie: a=1", b"SET-COOKIE: b=2; Path=/", b"Vary: A, b", b"Vary: C,")
    assert found.coding == b"gzip"
    assert found.cookies == b"Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n"
    assert found.vary == {b"a", b"b", b"c"}


def test_heads_of_any_size() -> None:
    for size in (1, 2000, 3000, 30_000):
        assert head(b"X: " + b"y" * size, b"Set-Cookie: a=1").cookies == b"Set-Cookie: a=1\r\n"


NONE = b""
CACHING = [
    # Cache-Control and Age of each part, and of the whole
    ([NONE, NONE], NONE),
    ([b"max-age=60", b"max-age=10"], b"max-age=10"),
    ([b"max-age=60", NONE], NONE),
    ([b"max-age=60", b"no-cache"], b"no-cache"),
    ([b"no-store", NONE], b"no-store"),
    ([b"max-age=60, private", b"max-age=10, public"], b"private, max-age=10"),
    ([b"public, max-age=60", b"public, max-age=10"], b"public, max-age=10"),
    ([b"public, max-age=60", b"max-age=10"], b"max-age=10"),
    ([b"max-age=60, no-store", b"private"], b"no-store"),
    # must-revalidate and s-maxage are permissions, too, to give an answer to one who is known to others
    ([b"max-age=5, must-revalidate", b"max-age=5, no-transform"], b"proxy-revalidate, no-transform, max-age=5"),
    ([b"must-revalidate", b"proxy-revalidate, max-age=5"], b"proxy-revalidate"),
    ([b"max-age=5, must-revalidate", b"max-age=5, public"], b"must-revalidate, max-age=5"),
    ([b"max-age=5, s-maxage=100", b"max-age=10"], b"max-age=5"),
    ([b"max-age=50, s-maxage=1", b"max-age=10"], b"max-age=1"),
    ([b"max-age=5, s-maxage=100", b"max-age=10, public"], b"max-age=5, s-maxage=10"),
    ([b"s-maxage=100", b"max-age=10"], NONE),
    ([b"s-maxage=100", b"max-age=10, public"], b"s-maxage=10"),
    ([b"s-maxage=100", b"s-maxage=50"], b"s-maxage=50"),
    ([b"s-maxage=100", NONE], NONE),
    ([b"s-maxage=100, private", b"max-age=10"], b"private"),
    ([b"MAX-AGE=5", b'max-age="7"'], b"max-age=5"),
    ([b"max-age=x", b"max-age=7"], NONE),
    ([b"max-age=60, immutable, stale-if-error=9", b"max-age=70"], b"max-age=60"),
    ([b'private="x, no-store", max-age=3', b"max-age=4"], b"private, max-age=3"),
    ([b"max-age=99999999999", b"max-age=7"], NONE),
]


@pytest.mark.parametrize(("parts", "whole"), CACHING)
def test_how_long_the_whole_may_be_stored(parts: list[bytes], whole: bytes) -> None:
    heads = [head(b"Cache-Control: " + part) if part else head() for part in parts]
    assert cache_control([found.caching for found in heads]) == whole
    line = b"Cache-Control: %b\r\n" % whole if whole else b""
    assert merged(heads, is_complete=True) == line
    assert merged(heads, is_complete=False) == b""


@pytest.mark.parametrize(
    ("fields", "whole"),
    [
        ([b"max-age=60", b"Age: 20"], b"max-age=40"),
        ([b"max-age=60", b"Age: 100"], b"max-age=0"),
        ([b"max-age=60", b"Age: x"], b"max-age=50"),
        ([b"max-age=60, s-maxage=90", b"Age: 50"], b"max-age=10"),
        ([b"public, max-age=60, s-maxage=90", b"Age: 50"], b"max-age=10, s-maxage=40"),
    ],
)
def test_what_has_been_stored_already_is_not_as_fresh(fields: list[bytes], whole: bytes) -> None:
    old = head(b"Cache-Control: " + fields[0], fields[1])
    new = head(b"Cache-Control: max-age=50" + (b", must-revalidate" if b"public" in fields[0] else b""))
    assert cache_control([old.caching, new.caching]).removeprefix(b"must-revalidate, ") == whole


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ((b"Expires: Mon, 23 Nov 2026 07:30:36 GMT", b"Date: Mon, 23 Nov 2026 07:29:36 GMT"), 60),
        ((b"Expires: Mon, 23 Nov 2026 07:29:36 GMT", b"Date: Mon, 23 Nov 2026 07:30:36 GMT"), 0),
        ((b"Expires: Mon, 23 Nov 2026 07:30:36 GMT",), 0),
        ((b"Expires: 0", b"Date: Mon, 23 Nov 2026 07:30:36 GMT"), 0),
        ((b"Expires: 0", b"Cache-Control: max-age=5"), 5),
        ((b"Expires: 0", b"Cache-Control: s-maxage=5"), 5),
        ((b"Cache-Control: no-cache",), None),
        ((), None),
    ],
)
def test_the_shortest_time_that_is_said_bounds_the_whole(lines: tuple[bytes, ...], seconds: int | None) -> None:
    assert head(*lines).caching.most_s == seconds
    heads = [head(*lines), None, head(), head(b"Cache-Control: max-age=100, s-maxage=50")]
    assert most_s(heads) == min(50, 50 if seconds is None else seconds)
    assert most_s([None, head()]) == float("inf")


def test_two_cache_control_fields_are_one() -> None:
    assert head(b"Cache-Control: max-age=5", b"cache-control: private").caching.directives == {b"max-age", b"private"}


def test_a_part_without_a_head_says_nothing() -> None:
    one = head(b"Set-Cookie: a=1", b"Cache-Control: max-age=5", b"Vary: X")
    assert merged([one, None], is_complete=True) == b"Set-Cookie: a=1\r\nVary: x\r\n"
    assert merged([None], is_complete=True) == b""


def test_cookies_in_the_order_of_the_nodes_and_vary_of_all() -> None:
    heads = [head(b"Set-Cookie: b=1", b"Vary: B"), head(b"Set-Cookie: a=1", b"Vary: A")]
    assert merged(heads, is_complete=False) == b"Set-Cookie: b=1\r\nSet-Cookie: a=1\r\nVary: a, b\r\n"
    assert merged([*heads, head(b"Vary: *")], is_complete=True).endswith(b"Vary: *\r\n")


def test_validators_of_a_part_are_not_those_of_the_whole() -> None:
    said = head(b'ETag: "a"', b"Last-Modified: x", b"Age: 5", b"X-Own: 1", b"Content-Length: 5")
    assert merged([said, said], is_complete=True) == b""
