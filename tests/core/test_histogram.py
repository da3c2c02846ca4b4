import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.histogram import (
    BUCKETS,
    LONGEST_US,
    MIDDLES_US,
    NEAR,
    NEAR_END,
    SHORTEST_US,
    Limits,
    add_sparse,
    bounds,
    bucket,
    bucket_of,
    percentile,
    percentiles,
    percentiles_ms,
    sparse,
    total_us,
)

times = st.one_of(st.integers(0, 1000), st.integers(0, 2 * LONGEST_US), st.sampled_from([2**n for n in range(30)]))


@given(times)
def test_a_bucket_counts_what_lies_within_its_bounds(us: int) -> None:
    low, high = bounds(bucket(us))
    assert low <= us
    assert us < high or low == high == LONGEST_US


def test_buckets_follow_each_other_without_a_gap() -> None:
    edges = [bounds(index) for index in range(BUCKETS)]
    assert edges[0] == (0, SHORTEST_US)
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert edges[-1] == (LONGEST_US, LONGEST_US)


@given(st.integers(SHORTEST_US, LONGEST_US - 1))
def test_the_middle_of_a_bucket_is_close_to_all_it_counts(us: int) -> None:
    assert abs(MIDDLES_US[bucket(us)] - us) <= us / 31


def test_the_table_of_short_times_says_the_same() -> None:
    for us in range(0, 4 * NEAR_END, 3):
        assert NEAR[us // 4] == bucket(us)


@given(times)
def test_times_in_seconds(us: int) -> None:
    assert bucket_of((us + 0.5) / 1e6) == bucket(us)


@pytest.mark.parametrize("index", [-1, BUCKETS])
def test_there_is_no_other_bucket(index: int) -> None:
    with pytest.raises(IndexError):
        bounds(index)


def counts_of(values: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for value in values:
        counts[bucket(value)] += 1
    return counts


@given(st.lists(st.integers(SHORTEST_US, LONGEST_US - 1), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_nearest_rank(values: list[int], percent: int) -> None:
    exact = sorted(values)[math.ceil(len(values) * percent / 100) - 1]
    found = percentile(counts_of(values), percent)
    assert found == MIDDLES_US[bucket(exact)]


def test_percentiles_of_nothing_and_of_several() -> None:
    assert percentile([0] * BUCKETS, 50) is None
    assert percentiles([0] * BUCKETS, (50, 99)) == [None, None]
    counts = counts_of([100] * 98 + [10_000, 1_000_000])
    assert percentiles(counts, (0, 50, 98, 99, 100)) == [
        MIDDLES_US[bucket(us)] for us in (100, 100, 100, 10_000, 1_000_000)
    ]


@given(st.lists(st.integers(0, 2 * LONGEST_US)))
def test_counts_below_limits_that_are_bounds_are_exact(values: list[int]) -> None:
    limits = [SHORTEST_US, 1 << 10, 1536, 1 << 20, LONGEST_US]
    below = [sum(value < limit for value in values) for limit in limits]
    assert Limits(limits).below(counts_of(values)) == [*below, len(values)]


def test_a_limit_inside_a_bucket_divides_its_count() -> None:
    low, high = bounds(bucket(1000))
    counts = counts_of([1000] * 10)
    assert Limits([low, (low + high) // 2, high, LONGEST_US]).below(counts) == [0, 5, 10, 10, 10]


@given(st.lists(st.integers(0, 5000)), st.lists(st.integers(0, 5000)), st.lists(st.integers(0, 6000)))
def test_counts_below_grow_with_limits_and_counts(values: list[int], more: list[int], limits: list[int]) -> None:
    limits.sort()
    before, after = Limits(limits).below(counts_of(values)), Limits(limits).below(counts_of(values + more))
    assert before == sorted(before)
    assert all(old <= new for old, new in zip(before, after, strict=True))


@given(st.lists(st.integers(SHORTEST_US, LONGEST_US - 1)))
def test_the_sum_is_as_exact_as_the_buckets(values: list[int]) -> None:
    assert abs(total_us(counts_of(values)) - sum(values)) <= sum(values) / 31


@given(st.lists(st.integers(0, LONGEST_US)), st.lists(st.integers(0, LONGEST_US)))
def test_sparse_histograms_add_up(some: list[int], more: list[int]) -> None:
    total = counts_of(some)
    add_sparse(total, sparse(counts_of(more)))
    assert total == counts_of(some + more)


def test_what_is_no_bucket_is_left_out() -> None:
    counts = [0] * BUCKETS
    add_sparse(counts, [-1, 5, BUCKETS, 5, 3, 2, 7])
    assert sparse(counts) == [3, 2]


def test_percentiles_in_milliseconds() -> None:
    assert percentiles_ms(counts_of([])) == {"p50": None, "p95": None, "p99": None}
    assert percentiles_ms(counts_of([1000] * 99 + [50_000]))["p50"] == MIDDLES_US[bucket(1000)] / 1000
