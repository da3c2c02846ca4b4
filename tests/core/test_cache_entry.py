from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.cache_entry import Entry
from gproxy.core.cache_request import Audience, cache_request

ENTRY = Entry(b"k", b"HTTP/1.1 200 OK\r\nA: b\r\n", b"body", 200, 100.0, 60.0, 30.0, Audience.WITH_COOKIE)
ANYTHING = cache_request(b"Host: a\r\n")
TAGGED = replace(
    ENTRY, lines=b'HTTP/1.1 200 OK\r\nETag:  "1" \r\nX: y\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
)


def asked(control: bytes) -> bytes:
    return b"Cache-Control: " + control + b"\r\n"


@pytest.mark.parametrize(
    ("control", "now_s", "answers", "answers_all_the_same"),
    [
        (b"", 159, True, True),
        (b"", 160, False, False),
        (b"no-cache", 100, False, True),
        (b"max-age=10", 110, True, True),
        (b"max-age=10", 111, False, True),
        (b"min-fresh=10", 149, True, True),
        (b"min-fresh=10", 150, False, True),
        (b"max-stale=10", 169, True, False),
        (b"max-stale=10", 170, False, False),
        (b"max-stale", 10_000, True, False),
        (b"", 99, True, True),  # the clock of a server is ahead
    ],
)
def test_who_gets_it_without_its_server(
    control: bytes, now_s: float, answers: bool, answers_all_the_same: bool
) -> None:
    request = cache_request(asked(control))
    assert ENTRY.answers(request, now_s, obeys=True) is answers
    assert ENTRY.answers(request, now_s, obeys=False) is answers_all_the_same


def test_what_must_be_confirmed_or_fresh() -> None:
    checked, strict = replace(ENTRY, is_checked=True), replace(ENTRY, may_be_stale=False)
    assert not checked.answers(ANYTHING, 100, True)
    assert not checked.answers(ANYTHING, 100, False)
    assert not strict.answers(cache_request(asked(b"max-stale")), 161, True)


def test_who_asks_for_nothing_special_gets_what_is_fresh() -> None:
    assert [ENTRY.is_fresh(now_s) for now_s in (100, 159, 160)] == [True, True, False]
    assert not replace(ENTRY, is_checked=True).is_fresh(100)


def test_how_long_it_stands_in() -> None:
    assert [ENTRY.stands_in(now) for now in (100, 189, 190)] == [True, True, False]
    assert not replace(ENTRY, stale_s=0.0).stands_in(101)


def test_whom_it_is_for() -> None:
    assert [ENTRY.is_for(audience) for audience in Audience] == [True, True, False]


def test_its_server_is_asked_with_what_it_said() -> None:
    assert ENTRY.conditions() == b""
    since = b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert TAGGED.conditions() == b'If-None-Match: "1"\r\n' + since


def test_a_client_that_has_it() -> None:
    assert TAGGED.is_known_to(cache_request(b'If-None-Match: "1"\r\n'))
    assert not TAGGED.is_known_to(ANYTHING)
    assert not replace(TAGGED, status=404).is_known_to(cache_request(b"If-None-Match: *\r\n"))
    assert TAGGED.lines_of_304().split(b"\r\n") == [
        *(b"HTTP/1.1 304 Not Modified", b'ETag:  "1" ', b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", b"")
    ]


entries = st.builds(
    Entry,
    *(st.binary(max_size=20), st.binary(max_size=60), st.binary(max_size=60), st.integers(0, 999)),
    *(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9), st.sampled_from(Audience)),
    *(st.booleans(), st.booleans()),
)


@given(entries)
def test_what_is_packed_is_unpacked(entry: Entry) -> None:
    assert Entry.unpacked(b"".join(entry.packed())) == entry


@given(entries, st.data())
def test_half_an_entry_is_none(entry: Entry, data: st.DataObject) -> None:
    packed = b"".join(entry.packed())
    length = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(ValueError, match="entry"):
        Entry.unpacked(packed[:length])
