"""One of three servers fails: with retries, clients of idempotent requests see as little of it as can be."""

from pathlib import Path

import pytest

from tests.harness.failures import FEATURES, Outcome, measured

RATE, SECONDS = 100, 2.0


def outcome(folder: Path, case: str, features: str, seconds: float = SECONDS) -> Outcome:
    found = measured(folder, case, FEATURES[features], RATE, seconds)
    assert found.requests == RATE * seconds
    return found


@pytest.mark.parametrize("features", ["retry", "retry and circuit_breaker"])
@pytest.mark.parametrize("case", ["refused", "idle_close"])
def test_nothing_is_lost_at_a_server_that_refuses_or_closes_idle_connections(
    tmp_path: Path, case: str, features: str
) -> None:
    assert outcome(tmp_path, case, features).errors == {}


def test_without_retries_a_third_is_lost(tmp_path: Path) -> None:
    errors = outcome(tmp_path, "refused", "neither", 1.0).errors
    assert set(errors) == {"502"}
    assert 0.25 < errors["502"] / RATE < 0.4


@pytest.mark.parametrize("case", ["blackhole", "slow"])
def test_a_server_that_does_not_answer_in_time_costs_little(tmp_path: Path, case: str) -> None:
    assert outcome(tmp_path, case, "retry and circuit_breaker").errors.total() <= 0.02 * RATE * SECONDS


def test_an_answer_that_breaks_off_is_not_repeated_but_its_server_is_left_alone(tmp_path: Path) -> None:
    assert 0 < outcome(tmp_path, "reset", "retry and circuit_breaker").errors["broken body"] <= 0.1 * RATE * SECONDS
