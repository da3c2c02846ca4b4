import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.statuses import parse


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("", set()),
        (" ", set()),
        ("200", {200}),
        ("200,204", {200, 204}),
        ("200-202, 301", {200, 201, 202, 301}),
        ("200-200,200", {200}),
        ("100-599", set(range(100, 600))),
    ],
)
def test_sets(text: str, statuses: set[int]) -> None:
    assert parse(text) == statuses


@pytest.mark.parametrize("text", ["ok", "99", "600", "20", "2000", "200-", "-200", "200;201", "200,", "+200", "2xx"])
def test_what_is_no_set(text: str) -> None:
    with pytest.raises(ValueError, match="must be statuses and ranges"):
        parse(text)


def test_a_range_that_runs_backwards() -> None:
    with pytest.raises(ValueError, match='"299-200" ends before it begins'):
        parse("200, 299-200")


@given(st.sets(st.integers(100, 599), max_size=20))
def test_every_set_can_be_written(statuses: set[int]) -> None:
    assert parse(",".join(map(str, statuses))) == statuses
