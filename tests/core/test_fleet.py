from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gproxy.core.fleet import EQUAL_PART, SILENT_S, Member, agreed_until, members, part, smoothed


@dataclass(frozen=True)
class Said:
    id: str
    written_ms: int = 1
    has_left: bool = False


def names(known: dict[str, Member[Said]]) -> set[str]:
    return set(known)


def test_a_node_that_is_silent_counts_on_for_a_while() -> None:
    known = members({}, [Said("a"), Said("b")], 0)
    known = members(known, [Said("a", 2)], SILENT_S - 1)
    assert names(known) == {"a", "b"}, "its lease may have ended while the store was away"
    assert names(members(known, [Said("a", 3)], SILENT_S)) == {"a"}


def test_a_node_that_says_goodbye_is_gone_at_once() -> None:
    known = members({}, [Said("a"), Said("b")], 0)
    assert names(members(known, [Said("a"), Said("b", 2, has_left=True)], 1)) == {"a"}


def test_what_a_node_says_is_heard_when_it_is_new() -> None:
    known = members({}, [Said("a", 1)], 10)
    known = members(known, [Said("a", 1)], 12)
    assert (known["a"].heard_s, known["a"].listed_s) == (10, 12)
    assert members(known, [Said("a", 2)], 13)["a"].heard_s == 13


DEMANDS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1e5), min_size=1)


@given(DEMANDS, st.none() | st.floats(0.01, 1e6))
@example({"a": 5e-324, "b": 0}, None)  # so small that nine tenths of it are itself
def test_parts_are_the_whole_and_nobody_has_nothing(demands: dict[str, float], rate: float | None) -> None:
    parts = [part(name, demands, rate) for name in demands]
    assert sum(parts) == pytest.approx(1)
    assert all(found >= EQUAL_PART / len(demands) * 0.999 for found in parts)


@given(DEMANDS, st.floats(0.01, 1e6))
def test_nobody_is_refused_while_all_together_ask_for_less_than_the_limit(
    demands: dict[str, float], rate: float
) -> None:
    if sum(demands.values()) <= rate * (1 - EQUAL_PART):
        assert all(part(name, demands, rate) * rate >= demand * 0.999 for name, demand in demands.items())


def test_beyond_the_limit_parts_go_by_demand() -> None:
    parts = {name: part(name, {"a": 300, "b": 100, "c": 0}, 100) for name in "abc"}
    assert parts == pytest.approx({"a": 0.1 / 3 + 0.9 * 0.75, "b": 0.1 / 3 + 0.9 * 0.25, "c": 0.1 / 3})


def test_without_demand_and_alone() -> None:
    assert part("a", {"a": 0, "b": 0}, 5) == 0.5
    assert part("a", {"a": 0}, 5) == part("a", {"a": 99}, 5) == part("a", {"a": 99}, None) == 1


@pytest.mark.parametrize(
    ("until", "quorum", "agreed"),
    [([], 1, 0), ([5], 2, 0), ([5, 9], 1, 9), ([5, 9], 2, 5), ([9, 5, 7], 2, 7), ([9, 5, 7], 4, 0)],
)
def test_an_agreement_lasts_as_long_as_enough_say_so(until: list[float], quorum: int, agreed: float) -> None:
    assert agreed_until(until, quorum) == agreed


def test_an_average_follows_what_is_seen() -> None:
    assert smoothed(0, 100, 1, 5) == 20
    assert smoothed(50, 100, 5, 5) == smoothed(50, 100, 60, 5) == 100
