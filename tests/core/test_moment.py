from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.moment import seconds

zones = st.one_of(
    st.just(UTC), st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)


@given(st.datetimes(datetime(1970, 1, 3), datetime(9999, 12, 30), timezones=zones))
def test_agrees_with_the_library(moment: datetime) -> None:
    assert seconds(moment.isoformat()) == pytest.approx(moment.timestamp(), abs=1e-5)


def test_forms() -> None:
    assert seconds("1970-01-01T00:00:00Z") == 0
    assert seconds("1970-01-01t00:00:01.25z") == 1.25
    assert seconds("1970-01-01 01:00:00+01:00") == 0
    assert seconds("2024-02-29T23:59:60Z") == seconds("2024-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tomorrow", "must be a moment such as"),
        ("2026-12-24", "must be a moment"),
        ("2026-12-24T18:00:00", "must be a moment"),
        ("2026-12-24T18:00Z", "must be a moment"),
        ("2026-13-24T18:00:00Z", "no moment of the calendar"),
        ("2026-02-29T18:00:00Z", "no moment of the calendar"),
        ("2026-02-00T18:00:00Z", "no moment of the calendar"),
        ("2026-02-01T24:00:00Z", "no moment of the calendar"),
        ("0000-02-01T20:00:00Z", "no moment of the calendar"),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        seconds(text)
