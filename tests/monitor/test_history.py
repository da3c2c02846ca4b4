import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.histogram import BUCKETS, MIDDLES_US, PERCENTS, bucket, percentiles_ms
from gproxy.monitor.history import (
    SECONDS,
    WINDOWS,
    Busiest,
    Second,
    Series,
    as_second,
    changes,
)


def test_windows_forget_what_is_older() -> None:
    series = Series()
    series.add(Second(requests=100), {bucket(1000): 100})
    for _ in range(9):
        series.add(Second(), {})
    assert series.rates()["10s"]["requests"] == 10
    assert series.percentiles_ms()["10s"]["p50"] == MIDDLES_US[bucket(1000)] / 1000
    series.add(Second(), {})
    assert series.percentiles_ms()["10s"]["p50"] is None
    assert series.percentiles_ms()["1m"]["p99"] is not None
    assert series.rates()["1m"]["requests"] == round(100 / 11, 3), "a young series is divided by its age"


@given(st.lists(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 1000), max_size=4), max_size=80))
def test_each_window_is_the_sum_of_its_seconds(changes_of: list[dict[int, int]]) -> None:
    series = Series()
    for times in changes_of:
        series.add(Second(), times)
    for name, seconds in WINDOWS.items():
        counts = [0] * BUCKETS
        for times in changes_of[-seconds:]:
            for index, count in times.items():
                counts[index] += count
        assert series.percentiles_ms()[name] == percentiles_ms(counts)


@given(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 1000), min_size=1))
def test_the_percentiles_of_a_second_are_those_of_its_histogram(times: dict[int, int]) -> None:
    series = Series()
    series.add(Second(), times)
    shown = series.history()
    expected = percentiles_ms([times.get(index, 0) for index in range(BUCKETS)])
    for percent in PERCENTS:
        value = shown[f"p{percent}_ms"][0]
        assert value is not None
        assert round(value, 3) == expected[f"p{percent}"]


def test_the_history_is_ten_minutes_long() -> None:
    series = Series()
    for number in range(SECONDS + 5):
        series.add(Second(requests=number), {})
    shown = series.history()
    assert shown["requests"] == list(range(5, SECONDS + 5))
    assert shown["p50_ms"] == [None] * SECONDS
    assert series.length == SECONDS


def test_a_second_is_the_difference_of_two_readings() -> None:
    places = {"requests": (0, 1), "errors": (1,)}
    assert as_second([5, 7], [1, 5], places, 3) == Second(requests=6, errors=2, active=3)
    assert as_second([5, 7], None, places, 3) == Second(active=3)
    assert as_second([0, 0], [1, 5], places, 0) == Second(), "a zero line that was drawn meanwhile"
    assert changes([1, 2, 3], [1, 5, 4]) == {1: 3, 2: 1}


@pytest.mark.parametrize(("requests", "kept"), [(5, {1, 2}), (25, {3, 2}), (15, {1, 2})])
def test_a_newcomer_must_have_done_far_more_than_the_idlest(requests: int, kept: set[int]) -> None:
    busiest = Busiest(2)
    busiest.add({1: Second(requests=10), 2: Second(requests=30), 4: Second()})
    assert busiest.series.keys() == {1, 2}
    busiest.add({1: Second(requests=10), 2: Second(requests=30), 3: Second(requests=requests)})
    assert busiest.series.keys() == kept


def test_what_was_done_long_ago_counts_less() -> None:
    busiest = Busiest(1)
    busiest.add({1: Second(requests=1000)})
    for _ in range(300):
        busiest.add({})
    busiest.add({2: Second(requests=5)})
    assert busiest.series.keys() == {2}
    busiest.keep([1])
    assert busiest.series == {}


def test_the_last_seconds_and_their_histograms() -> None:
    series = Series()
    for number in range(1, 5):
        series.add(Second(requests=number), {number: number})
    assert series.number == 4
    assert series.history(2)["requests"] == [3, 4]
    assert series.times(2) == [[3, 3], [4, 4]]
    assert series.times(0) == []
    assert series.buckets()["10s"] == [1, 1, 2, 2, 3, 3, 4, 4]
