import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.directives import MOST_S, directives, seconds


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], {}),
        ([b""], {}),
        ([b"max-age=60"], {b"max-age": b"60"}),
        ([b"Public, MAX-AGE = 60 ,no-cache"], {b"public": b"", b"max-age": b"60", b"no-cache": b""}),
        ([b'private="set-cookie, x", no-store'], {b"private": b"set-cookie, x", b"no-store": b""}),
        ([b"max-age=60", b"max-age=5"], {b"max-age": b"5"}),
        ([b"max-age=5, max-age=60"], {b"max-age": b"5"}),
        ([b"max-age=60, max-age=soon"], {b"max-age": b"soon"}),
    ],
)
def test_directives_of_all_fields(values: list[bytes], said: dict[bytes, bytes]) -> None:
    assert directives(values) == said


def test_seconds() -> None:
    assert [seconds(value) for value in (None, b"60", b"", b"-1", b"1.5", b"soon")] == [None, 60, 0, 0, 0, 0]
    assert seconds(b"9" * 12) == MOST_S
    assert 0 <= (seconds(b"9" * 5000) or 0) <= MOST_S


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_nothing_that_a_server_says_fails(values: list[bytes]) -> None:
    for value in directives(values).values():
        assert 0 <= (seconds(value) or 0) <= MOST_S
