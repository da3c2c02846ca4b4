from itertools import product

import pytest

from gproxy.core.breaker import FIGURES, MOVES, Breaker, Cause, Circuit, Figures, IllegalMove, State
from tests.core.breakers import breaker

S = 1_000_000
DEFAULT = breaker()


def test_defaults() -> None:
    assert (DEFAULT.consecutive_failures, DEFAULT.open_us, DEFAULT.max_open_us) == (5, 10 * S, 300 * S)
    assert (DEFAULT.half_open_percent, DEFAULT.half_open_successes, DEFAULT.has_window) == (10, 5, False)
    assert DEFAULT.failure_statuses == frozenset(range(500, 600))
    assert Breaker.compiled(None) is None


@pytest.mark.parametrize(("state", "cause"), list(product(State, Cause)))
def test_every_move_is_in_the_table_or_illegal(state: State, cause: Cause) -> None:
    circuit = Circuit(3, state, 1, 5 * S)
    if (state, cause) in MOVES:
        after = circuit.after(cause, DEFAULT, 9 * S)
        assert (after.epoch, after.state, after.since_us) == (4, MOVES[state, cause], 9 * S)
    else:
        with pytest.raises(IllegalMove, match=f"{cause.name} does not move a circuit that is {state.name}"):
            circuit.after(cause, DEFAULT, 9 * S)


def test_every_cause_has_figures() -> None:
    assert set(FIGURES) == set(Cause) == {cause for _, cause in MOVES}


@pytest.mark.parametrize(
    ("fields", "figures", "cause"),
    [
        ({}, Figures(4), None),
        ({}, Figures(5), Cause.CONSECUTIVE_FAILURES),
        ({}, Figures(6), Cause.CONSECUTIVE_FAILURES),
        ({"consecutive_failures": 1}, Figures(1), Cause.CONSECUTIVE_FAILURES),
        ({"consecutive_failures": 0, "failure_percent": 50}, Figures(100, 19, 19), None),
        ({"failure_percent": 50, "min_requests": 10}, Figures(1, 9, 9), None),
        ({"failure_percent": 50, "min_requests": 10}, Figures(1, 10, 4), None),
        ({"failure_percent": 50, "min_requests": 10}, Figures(0, 10, 5), Cause.FAILURE_PERCENT),
        ({"failure_percent": 33.4, "min_requests": 3}, Figures(0, 3, 1), None),
        ({"slow_s": 1, "slow_percent": 80}, Figures(0, 20, 20, 15), None),
        ({"slow_s": 1, "slow_percent": 80}, Figures(0, 20, 0, 16), Cause.SLOW_PERCENT),
    ],
)
def test_what_opens_a_closed_circuit(fields: dict[str, float], figures: Figures, cause: Cause | None) -> None:
    assert breaker(**fields).trip(figures) is cause


def test_the_open_time_doubles_up_to_its_limit() -> None:
    rules = breaker(open_s=10, max_open_s=70)
    circuit = Circuit().after(Cause.CONSECUTIVE_FAILURES, rules, 0)
    pauses, now_us = [], 0
    for _ in range(6):
        pauses.append(rules.pause_us(circuit.level) // S)
        now_us = circuit.half_opens_us(rules)
        circuit = circuit.after(Cause.OPEN_TIME_OVER, rules, now_us).after(Cause.PROBE_FAILED, rules, now_us)
    assert pauses == [10, 20, 40, 70, 70, 70]
    assert circuit.level == rules.top_level == 3


def test_a_limit_below_the_open_time_does_not_shorten_it() -> None:
    rules = breaker(open_s=600)
    assert (rules.pause_us(0), rules.top_level) == (600 * S, 0)


@pytest.mark.parametrize(("healthy_s", "pause_s"), [(0, 40), (39, 40), (40, 20), (59, 20), (60, 10), (10_000, 10)])
def test_doublings_are_forgotten_in_healthy_times(healthy_s: int, pause_s: int) -> None:
    half_open = Circuit(2, State.HALF_OPEN, 1, 0)
    closed = half_open.after(Cause.PROBES_SUCCEEDED, DEFAULT, 7 * S)
    again = closed.after(Cause.CONSECUTIVE_FAILURES, DEFAULT, (7 + healthy_s) * S)
    assert DEFAULT.pause_us(again.level) == pause_s * S


@pytest.mark.parametrize("percent", [0.1, 1, 10, 33, 50, 99.5, 100])
def test_half_open_admits_its_percentage_rounded_up(percent: float) -> None:
    rules = breaker(half_open_percent=percent)
    admitted = 0
    for arrivals in range(1, 1001):
        admitted += rules.admits(arrivals, admitted)
        assert admitted - 1 < arrivals * percent / 100 <= admitted
    assert abs(admitted - 10 * percent) < 1


@pytest.mark.parametrize(
    ("percent", "ejected", "members", "panics"),
    [(100, 3, 3, False), (50, 1, 2, False), (50, 2, 3, True), (50, 1, 3, False), (0, 1, 10, True), (0, 0, 10, False)],
)
def test_panic(percent: float, ejected: int, members: int, panics: bool) -> None:
    assert breaker(max_ejected_percent=percent).ejects_too_many(ejected, members) is panics
