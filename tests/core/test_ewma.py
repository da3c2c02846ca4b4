from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.ewma import DECAY_S, faded, observed

times = st.integers(1, 10_000_000)
ages = st.floats(0, 1000)


def test_the_first_time_counts_as_it_is() -> None:
    assert observed(0, 123.0, 700) == 700


@given(times, ages, times)
def test_it_jumps_up_and_never_leaves_the_range_of_what_was_seen(average: int, age_s: float, sample: int) -> None:
    after = observed(average, age_s, sample)
    assert min(average, sample) <= after <= max(average, sample)
    if sample >= average:
        assert after == sample


def test_it_comes_down_with_time_not_with_the_number_of_answers() -> None:
    at_once = observed(observed(1000, 0.0, 100), 0.0, 100)
    later = observed(1000, DECAY_S, 100)
    assert at_once == 1000
    assert 400 < later < 450


def test_it_fades_when_nobody_asks() -> None:
    assert faded(1000, 0) == 1000
    assert 366 < faded(1000, DECAY_S) < 369
    assert faded(1000, 100 * DECAY_S) < 1
