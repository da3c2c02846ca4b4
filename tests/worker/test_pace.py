import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.worker.deadlines import NEVER
from gproxy.worker.pace import Pace


def served_for(pace: Pace, every_s: float, count: int, longest_s: float = 10_000.0) -> float:
    """Return when a client that moves `count` bytes at regular times runs out of credit."""
    now = 0.0
    while now < longest_s:
        until = pace.wait(now)
        if until < now + every_s:
            return until
        now += every_s
        pace.moved(count, now)
    return NEVER


def test_without_progress_the_longest_wait_is_the_limit() -> None:
    assert Pace(30, 100, 0.0).wait(0.0) == 30
    assert Pace(30, 0, 5.0).wait(5.0) == 35
    assert Pace(NEVER, 100, 0.0).wait(0.0) == NEVER


@pytest.mark.parametrize(
    ("every_s", "count", "until_s"),
    [(29, 1, 30.01), (1, 99, 2900), (1, 100, NEVER), (1, 1000, NEVER), (10, 1000, NEVER), (29, 3000, NEVER)],
)
def test_who_is_slower_than_the_rate_runs_out_of_credit(every_s: float, count: int, until_s: float) -> None:
    assert served_for(Pace(30, 100, 0.0), every_s, count) == pytest.approx(until_s, abs=2)


def test_without_a_rate_any_progress_will_do() -> None:
    assert served_for(Pace(30, 0, 0.0), 29, 1) == NEVER


def test_the_credit_comes_back_while_nobody_waits() -> None:
    pace = Pace(30, 100, 0.0)
    pace.wait(0.0)
    pace.moved(0, 25.0)
    assert pace.wait(25.0) == 30
    pace.moved(0, 26.0)
    assert pace.wait(36.0) == 36 + 14
    pace.moved(0, 37.0)
    assert pace.wait(1000.0) == 1030


@given(
    st.lists(st.tuples(st.floats(0, 50), st.integers(0, 5000), st.floats(0, 50)), max_size=30),
    st.sampled_from([0, 1, 100, 10_000]),
)
def test_a_wait_is_never_longer_than_the_longest(steps: list[tuple[float, int, float]], rate: int) -> None:
    pace, now = Pace(30, rate, 0.0), 0.0
    for waited, count, idle in steps:
        until = pace.wait(now)
        assert until <= now + 30
        now += min(waited, max(0.0, until - now))
        pace.moved(count, now)
        now += idle
