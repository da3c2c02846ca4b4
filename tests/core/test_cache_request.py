import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.cache_request import Audience, cache_request


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"Range: bytes=0-1", "partial"),
        (b'If-Range: "a"', "partial"),
        (b'If-Match: "a"', "partial"),
        (b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "partial"),
        (b"Cache-Control: no-store", "no-store"),
        (b"X-HTTP-Method-Override: DELETE", "override"),
        (b"x-rewrite-url: /admin", "override"),
        (b"X-Range: 1", ""),
    ],
)
def test_who_passes_by(line: bytes, why: str) -> None:
    assert cache_request(b"Host: a\r\n" + line + b"\r\n").passes_by == why


def test_who_asks() -> None:
    def audience(*lines: bytes) -> Audience:
        return cache_request(b"".join(line + b"\r\n" for line in lines)).audience

    assert audience(b"Host: a") is Audience.ANYBODY
    assert audience(b"Cookie: a=b") is Audience.WITH_COOKIE
    for line in (b"Authorization: Basic x", b"Proxy-Authorization: x", b"Client-Cert: :x:"):
        assert audience(line, b"Cookie: a=b") is Audience.AUTHORIZED


def test_what_a_client_will_take() -> None:
    asked = cache_request(b"Cache-Control: max-age=5, min-fresh=3, max-stale\r\nCache-Control: only-if-cached\r\n")
    assert (asked.max_age_s, asked.min_fresh_s, asked.only_stored, asked.wants_check) == (5, 3, True, False)
    assert asked.max_stale_s > 1e9
    assert cache_request(b"Cache-Control: max-stale=7\r\n").max_stale_s == 7
    anything = cache_request(b"Host: a\r\n")
    assert (anything.max_age_s, anything.min_fresh_s, anything.max_stale_s) == (float("inf"), 0, 0)
    assert cache_request(b"Pragma: no-cache\r\n").wants_check
    assert not cache_request(b"Pragma: no-cache\r\nCache-Control: max-age=5\r\n").wants_check
    assert cache_request(b'If-None-Match: "a"\r\nIf-None-Match: "b"\r\n').if_none_match == b'"a", "b"'
    assert cache_request(b"If-Modified-Since: x\r\n").is_conditional


@pytest.mark.parametrize(
    ("line", "wants"),
    [
        (b"Cache-Control: no-cache", True),
        (b"Cache-Control: max-age=0", True),
        (b"Pragma: no-cache", True),
        (b"Cache-Control: max-age=1", False),
        (b"X-Own: no-cache", False),
    ],
)
def test_who_wants_it_from_the_server(line: bytes, wants: bool) -> None:
    assert cache_request(line + b"\r\n").wants_server is wants


@given(st.lists(st.tuples(st.sampled_from([b"Cache-Control", b"Pragma", b"If-None-Match"]), st.binary(max_size=40))))
def test_nothing_that_a_client_says_fails(fields: list[tuple[bytes, bytes]]) -> None:
    lines = [name + b": " + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" for name, value in fields]
    asked = cache_request(b"".join(lines))
    assert min(asked.max_age_s, asked.min_fresh_s, asked.max_stale_s) >= 0
