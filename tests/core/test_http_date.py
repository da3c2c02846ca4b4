from time import gmtime, strftime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.http_date import parse


@pytest.mark.parametrize(
    "text",
    [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms(text: bytes) -> None:
    assert parse(text) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"0", b"-1", b"now", b"Sun, 06 Nov 1994 08:49:37", b"Sun, 06 Nov 1994 08:49:37 UTC"),
        *(b"Sun, 06 Foo 1994 08:49:37 GMT", b"Sun, 00 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 24:00:00 GMT"),
        *(b"Sun, 06 Nov 1969 08:49:37 GMT", b"1994-11-06T08:49:37Z", b" Sun, 06 Nov 1994 08:49:37 GMT"),
    ],
)
def test_everything_else_is_no_date(text: bytes) -> None:
    assert parse(text) is None


@given(st.integers(min_value=0, max_value=4102444800))
def test_what_is_written_is_read(second: int) -> None:
    assert parse(strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(second)).encode()) == second
