from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.health import (
    FLAPPING,
    FLIPS_WITHIN_S,
    JITTER,
    LONGEST_BACKOFF_S,
    VALID_BEYOND_S,
    Health,
    Pace,
    State,
    first_delay_s,
    identity,
    valid_s,
)

PACE = Pace(interval_s=5, timeout_s=3, rise=2, fall=3)
NEW = Health(State.UNKNOWN, since_s=0)
MIDDLE = 0.5  # the chance that means no jitter


def run(results: str, health: Health = NEW, pace: Pace = PACE, every_s: float = 5, start_s: float = 0) -> list[Health]:
    """Return the health after each result, `+` for a success, `-` for a failure."""
    seen = []
    for number, result in enumerate(results, 1):
        health = health.after(result == "+", start_s + number * every_s, pace)
        seen.append(health)
    return seen


def states(results: str, pace: Pace = PACE) -> str:
    """Return one letter per result for the state after it."""
    return "".join(health.state.name[0] for health in run(results, pace=pace))


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("+", "U"),
        ("---", "UUD"),
        ("+---", "UUUD"),
        ("--+--", "UUUUU"),
        ("+--+--+", "UUUUUUU"),
        ("---+", "UUDD"),
        ("---++", "UUDDU"),
        ("---+-++", "UUDDDDU"),
        ("---++---", "UUDDUUUD"),
    ],
)
def test_rise_and_fall(results: str, expected: str) -> None:
    """`U` is both up and unknown here: both take traffic."""
    assert states(results) == expected


def test_the_first_success_makes_it_up_and_single_failures_leave_it_unknown() -> None:
    assert run("+")[-1].state is State.UP
    assert run("--")[-1].state is State.UNKNOWN
    assert run("--+")[-1].state is State.UP


def test_one_result_may_decide() -> None:
    assert states("-+-+", Pace(5, 3, rise=1, fall=1)) == "DUDU"


def test_since_is_when_the_state_was_entered() -> None:
    assert [health.since_s for health in run("++---+++")] == [5, 5, 5, 5, 25, 25, 35, 35]


def delays(health: Sequence[Health], pace: Pace = PACE) -> list[float]:
    return [item.delay_s(pace, MIDDLE) for item in health]


def test_a_dead_server_is_asked_less_and_less_up_to_once_a_minute() -> None:
    assert delays(run("--------")) == [5, 5, 5, 10, 20, 40, 60, 60]


def test_the_first_success_brings_the_usual_interval_back() -> None:
    assert delays(run("------+-"))[-3:] == [40, 5, 5]


def test_an_interval_beyond_the_longest_back_off_stays() -> None:
    slow = Pace(300, 3, 2, 3)
    assert delays(run("-" * 12, pace=slow), slow) == [300] * 12


def test_a_server_that_has_been_dead_for_years_overflows_nothing() -> None:
    assert Health(State.DOWN, 0, -(10**9)).delay_s(PACE, MIDDLE) == LONGEST_BACKOFF_S


@given(st.floats(0, 1), st.sampled_from(run("+-----------")))
def test_jitter_is_a_fifth_to_either_side(chance: float, health: Health) -> None:
    middle = health.delay_s(PACE, MIDDLE)
    assert middle * (1 - JITTER) - 1e-9 <= health.delay_s(PACE, chance) <= middle * (1 + JITTER) + 1e-9


def test_flips_of_the_last_minute_are_counted() -> None:
    health = run("+-+-+")[-1]  # at 5, 10, 15, 20, 25 s: four turns
    assert health.flips_until(25) == 4
    assert health.flips_until(69.9) == 4
    assert health.flips_until(70) == 3
    assert health.flips_until(200) == 0


def test_ten_flips_a_minute_are_flapping_although_the_state_never_changes() -> None:
    seen = run("+-" * 6)
    assert {health.state for health in seen} == {State.UP}
    assert seen[-1].flips_until(60) == 11
    assert seen[-1].is_flapping(60)
    assert not run("++++++-+")[-1].is_flapping(40)


def test_a_restart_goes_on_where_it_was() -> None:
    down = Health(State.DOWN, since_s=3).restored(PACE)
    assert (down.state, down.since_s) == (State.DOWN, 3)
    assert down.delay_s(PACE, MIDDLE) == 5
    assert run("+", down)[-1].state is State.DOWN
    assert run("++", down)[-1].state is State.UP
    up = Health(State.UP, since_s=3).restored(PACE)
    assert [health.state for health in run("---", up)] == [State.UP, State.UP, State.DOWN]
    assert Health(State.UNKNOWN, 0).restored(PACE) == Health(State.UNKNOWN, 0)


def test_first_checks_spread_over_a_second() -> None:
    assert [first_delay_s(index, 4) for index in range(4)] == [0, 0.25, 0.5, 0.75]


def test_health_belongs_to_a_server_at_its_address() -> None:
    known = identity("u1", "10.0.0.1:80", "http")
    assert known == identity("u1", "10.0.0.1:80", "http")
    others = [("u2", "10.0.0.1:80", "http"), ("u1", "10.0.0.1:81", "http"), ("u1", "10.0.0.1:80", "https")]
    assert len({known, *(identity(*other) for other in others)}) == 4
    assert 0 < known < 2**64


def test_a_verdict_outlives_three_missing_checks() -> None:
    assert valid_s(10, PACE) == 3 * (10 + 3) + VALID_BEYOND_S


paces = st.builds(Pace, st.floats(0.1, 3600), st.floats(0.1, 60), st.integers(1, 5), st.integers(1, 5))
histories = st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=200)


@given(paces, histories)
def test_the_state_is_what_the_last_results_say(pace: Pace, history: list[tuple[bool, float]]) -> None:
    """Against the definition, read from the whole history."""
    health, now_s, results = NEW, 0.0, []
    for is_well, pause_s in history:
        before, now_s = health, now_s + pause_s
        health = health.after(is_well, now_s, pace)
        results.append(is_well)
        if health.state is not before.state:
            enough = 1 if is_well and before.state is State.UNKNOWN else pace.rise if is_well else pace.fall
            assert results[-enough:] == [is_well] * enough
            assert health.since_s == now_s
        if results[-pace.fall :] == [False] * pace.fall:
            assert health.state is State.DOWN
        if results[-pace.rise :] == [True] * pace.rise:
            assert health.state is State.UP
        turns = sum(a != b for a, b in pairwise(results))
        assert health.flips_until(now_s) <= turns


@given(paces, histories, st.floats(0, 1))
def test_nothing_ever_spins_and_nobody_is_forgotten(
    pace: Pace, history: list[tuple[bool, float]], chance: float
) -> None:
    health, now_s = NEW, 0.0
    for is_well, pause_s in history:
        now_s += pause_s
        health = health.after(is_well, now_s, pace)
        delay_s = health.delay_s(pace, chance)
        assert (1 - JITTER) * pace.interval_s - 1e-9 <= delay_s
        assert delay_s <= (1 + JITTER) * max(pace.interval_s, LONGEST_BACKOFF_S) + 1e-6
        assert len(health.flips) <= 100
    assert FLIPS_WITHIN_S / PACE.interval_s > FLAPPING, "the usual interval is short enough to see flapping"
