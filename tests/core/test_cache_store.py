"""RFC 9111 as decisions: tables of what is stored, for how long and for whom, and laws that always hold."""

from __future__ import annotations

from dataclasses import replace
from time import gmtime, strftime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.cache_request import Audience
from gproxy.core.cache_store import Received, freshened, verdict
from tests.core.test_cache_rule import rule

NOW_S = 1_800_000_000


def date(ago_s: int = 0) -> bytes:
    return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(NOW_S - ago_s)).encode()


def received(*lines: bytes, status: int = 200, took_s: float = 0.0, is_delimited: bool = True) -> Received:
    head = b"".join(line + b"\r\n" for line in (b"HTTP/1.1 %d Said" % status, *lines))
    return Received(status, head, is_delimited, 100.0 - took_s, 100.0, NOW_S)


def fresh_for(*lines: bytes, took_s: float = 0.0, **cache: Any) -> float | None:
    """Return for how many seconds from now on an answer is fresh, None when it is not stored."""
    found = verdict(rule(**cache), b"k", Audience.ANYBODY, received(*lines, took_s=took_s)).entry
    return None if found is None else found.fresh_s - found.age_s(100.0)


@pytest.mark.parametrize(
    ("lines", "fresh_s"),
    [
        ((b"Cache-Control: max-age=60",), 60),
        ((b"Cache-Control: s-maxage=10, max-age=60",), 10),
        ((b"Cache-Control: max-age=60", b"Age: 20"), 40),
        ((b"Cache-Control: max-age=60", b"Date: " + date(15)), 45),
        ((b"Cache-Control: max-age=60", b"Date: " + date(15), b"Age: 20"), 40),
        ((b"Cache-Control: max-age=60", b"Age: a lot"), 60),
        ((b"Expires: " + date(-30), b"Date: " + date()), 30),
        ((b"Expires: " + date(-30),), 30),
        ((b"Expires: " + date(-30), b"Date: " + date(30)), 30),
        ((b"Cache-Control: max-age=5", b"Expires: " + date(-30)), 5),
        ((b"Expires: 0",), None),
        ((b"Expires: " + date(-30), b"Expires: " + date(-30)), None),
        ((b"Cache-Control: max-age=soon",), None),
        ((b"Cache-Control: max-age=0",), None),
        ((b"Cache-Control: max-age=0", b'ETag: "1"'), 0),
        ((b"Cache-Control: max-age=60, no-store",), None),
        ((b"Cache-Control: max-age=60, private",), None),
        ((b'Cache-Control: max-age=60, private="x"',), None),
        ((b"Cache-Control: max-age=60", b"Vary: *"), None),
        ((b"Cache-Control: max-age=60", b"Set-Cookie: a=b"), None),
        ((b"Cache-Control: max-age=60, public", b"Set-Cookie: a=b"), 60),
        ((b"Cache-Control: max-age=60", b"Content-Range: bytes 0-1/2"), None),
        ((), None),
    ],
)
def test_how_long_an_answer_is_fresh(lines: tuple[bytes, ...], fresh_s: float | None) -> None:
    assert fresh_for(*lines) == fresh_s


def test_the_time_that_an_answer_took_is_part_of_its_age() -> None:
    assert fresh_for(b"Cache-Control: max-age=60", b"Age: 20", took_s=5) == 35


def test_a_ttl_is_for_answers_that_say_nothing() -> None:
    assert fresh_for(ttl_s=7) == 7
    assert fresh_for(b"Cache-Control: max-age=60", ttl_s=7) == 60
    assert fresh_for(b"Cache-Control: no-cache", ttl_s=7) is None
    assert fresh_for(b"Cache-Control: public", ttl_s=7) == 7
    for status in (404, 302, 500):
        assert verdict(rule(ttl_s=7), b"k", Audience.ANYBODY, received(status=status)).entry is None


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 302, 307, 308, 404, 405, 410, 414])
def test_statuses_that_say_how_long(status: int) -> None:
    answer = received(b"Cache-Control: max-age=60", status=status)
    assert verdict(rule(), b"k", Audience.ANYBODY, answer).entry is not None


@pytest.mark.parametrize("status", [201, 206, 303, 304, 400, 401, 403, 429, 500, 502, 503, 504, 599])
def test_statuses_that_are_never_stored(status: int) -> None:
    answer = received(b"Cache-Control: public, max-age=60", status=status)
    assert verdict(rule(ttl_s=9, stale_if_error_s=9), b"k", Audience.ANYBODY, answer).reason == f"status {status}"


def test_an_answer_whose_end_nobody_told_is_not_stored() -> None:
    answer = received(b"Cache-Control: max-age=60", is_delimited=False)
    assert verdict(rule(), b"k", Audience.ANYBODY, answer).entry is None


@pytest.mark.parametrize(
    ("lines", "widest"),
    [
        ((), Audience.ANYBODY),
        ((b"Vary: Cookie",), Audience.WITH_COOKIE),
        ((b"Cache-Control: max-age=60",), Audience.WITH_COOKIE),
        ((b"Expires: " + date(-30),), Audience.WITH_COOKIE),
        ((b"Cache-Control: max-age=60, public",), Audience.AUTHORIZED),
        ((b"Cache-Control: s-maxage=60",), Audience.AUTHORIZED),
        ((b"Cache-Control: max-age=60, must-revalidate",), Audience.AUTHORIZED),
        ((b"Cache-Control: must-revalidate",), Audience.ANYBODY),
        ((b"Cache-Control: public",), Audience.AUTHORIZED),
    ],
)
def test_whom_an_answer_is_for(lines: tuple[bytes, ...], widest: Audience) -> None:
    for asked_by in Audience:
        found = verdict(rule(ttl_s=9), b"k", asked_by, received(*lines)).entry
        assert (found is not None) is (asked_by <= widest)
        assert found is None or found.audience is widest


@pytest.mark.parametrize(
    ("control", "stale_s"),
    [
        (b"max-age=60", 30),
        (b"max-age=60, stale-if-error=90", 90),
        (b"max-age=60, stale-if-error=10", 30),
        (b"max-age=60, must-revalidate, stale-if-error=90", 0),
        (b"max-age=60, proxy-revalidate", 0),
        (b"s-maxage=60", 0),
    ],
)
def test_how_long_it_may_stand_in(control: bytes, stale_s: float) -> None:
    answer = received(b"Cache-Control: " + control)
    found = verdict(rule(stale_if_error_s=30), b"k", Audience.ANYBODY, answer).entry
    assert found is not None
    assert found.stale_s == stale_s


def test_what_is_left_out_of_the_head() -> None:
    lines = (b"Cache-Control: max-age=60", b"Age: 1", b"X-Request-Id: 7", b"Content-Length: 2", b"A: b")
    found = verdict(rule(), b"k", Audience.ANYBODY, received(*lines)).entry
    assert found is not None
    assert found.lines == b"HTTP/1.1 200 Said\r\nCache-Control: max-age=60\r\nA: b\r\n"


def test_a_confirmed_answer_takes_over_what_the_304_says() -> None:
    first = received(b"Cache-Control: max-age=60", b'ETag: "1"', b"A: old", b"B: b")
    entry = verdict(rule(), b"k", Audience.ANYBODY, first).entry
    assert entry is not None
    later = Received(304, b"HTTP/1.1 304 Not Modified\r\nA: new\r\nCache-Control: max-age=9\r\n", True, 200, 200, NOW_S)
    fresh = freshened(rule(), entry, later)
    assert fresh.lines == b'HTTP/1.1 200 Said\r\nETag: "1"\r\nB: b\r\nA: new\r\nCache-Control: max-age=9\r\n'
    assert (fresh.fresh_s, fresh.born_s, fresh.status) == (9, 200, 200)
    about_the_body = (
        b"Content-Type: a/b\r\nContent-Encoding: gzip\r\nContent-Range: bytes 0-1/2\r\nContent-Length: 7\r\n"
    )
    assert freshened(rule(), entry, replace(later, lines=later.lines + about_the_body)) == fresh
    private = Received(304, b"HTTP/1.1 304 Not Modified\r\nCache-Control: private\r\n", True, 200, 200, NOW_S)
    assert freshened(rule(), entry, private) is entry


controls = st.lists(
    st.sampled_from(
        [b"no-store", b"private", b"no-cache", b"public", b"must-revalidate", b"proxy-revalidate", b"max-age=60"]
        + [b"s-maxage=60", b"max-age=0", b"stale-if-error=60", b"max-age=x", b"immutable"]
    )
)
fields = st.lists(
    st.sampled_from(
        [b"Set-Cookie: a=b", b"Vary: *", b"Vary: Cookie", b'ETag: "1"', b"Age: 30", b"Expires: 0", b"Date: " + date(9)]
        + [b"Expires: " + date(-30), b"Content-Range: bytes 0-1/2"]
    ),
    unique=True,
)


@given(controls, fields, st.sampled_from(Audience), st.sampled_from([200, 206, 304, 404, 500]), st.sampled_from([0, 9]))
def test_laws(said: list[bytes], more: list[bytes], asked_by: Audience, status: int, ttl_s: float) -> None:
    lines = [*more, *([b"Cache-Control: " + b", ".join(said)] if said else [])]
    found = verdict(rule(ttl_s=ttl_s, stale_if_error_s=9), b"k", asked_by, received(*lines, status=status))
    entry = found.entry
    assert (entry is None) == bool(found.reason)
    if entry is None:
        return
    assert status in (200, 404)
    assert not {b"no-store", b"private", b"Vary: *"} & {*said, *more}
    assert b"public" in said or b"Set-Cookie: a=b" not in more
    assert asked_by <= entry.audience
    if asked_by is Audience.AUTHORIZED:
        assert {b"public", b"s-maxage=60", b"must-revalidate"} & set(said)
    if b"no-cache" in said:
        assert entry.is_checked
    if {b"no-cache", b"must-revalidate", b"proxy-revalidate", b"s-maxage=60"} & set(said):
        assert (entry.stale_s, entry.may_be_stale) == (0, False)
    if not any(b"age" in one for one in said) and not any(b"Expires" in one for one in more):
        assert b"no-cache" in said or (ttl_s and entry.fresh_s == ttl_s)
