import pytest

from gadmin.fleet.reading import STALE_S, Reading


@pytest.mark.parametrize(
    ("told", "age_s", "trouble", "state"),
    [
        ({}, 0.5, "", "ok"),
        ({}, 2.0, "timed out", "slow"),
        ({}, STALE_S + 1, "timed out", "down"),
        (None, 0.0, "refused", "down"),
    ],
)
def test_a_node_is_ok_slow_or_down(told: dict[str, object] | None, age_s: float, trouble: str, state: str) -> None:
    reading = Reading("n1", "a:1", told, age_s, trouble)
    assert reading.state == state
    assert reading.is_live is (state != "down")
