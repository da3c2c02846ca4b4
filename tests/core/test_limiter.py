from collections.abc import Sequence
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.limiter import Limit, Room, merged, seconds
from tests.core.limits import START, One, Writers

S = 1_000_000_000
LIMITS = st.builds(
    Limit.of,
    rate=st.integers(1, 2000),
    per_s=st.sampled_from([0.1, 1.0, 60.0]),
    burst=st.sampled_from([0, 1, 2, 10, 5000]),
)
#: requests as (nanoseconds since the one before in units of the limit's spacing, writer)
STEPS = st.lists(st.tuples(st.floats(0, 3) | st.just(0.0) | st.floats(0, 3000), st.integers(0, 7)), max_size=200)


def times(limit: Limit, steps: Sequence[tuple[float, int]]) -> list[tuple[int, int]]:
    """Return (moment, writer) of requests."""
    now, found = START, []
    for gap, writer in steps:
        now += int(gap * limit.unit_ns)
        found.append((now, writer))
    return found


def steady(limit: Limit, per_s: float, for_s: float, start: int = START) -> list[int]:
    """Return the moments at which requests are let through when so many come per second, evenly."""
    writers = Writers(limit, 8)
    moments = [start + int(number * S / per_s) for number in range(int(per_s * for_s))]
    return [now for number, now in enumerate(moments) if not writers.take(number % 8, now)]


@given(LIMITS, STEPS)
def test_writers_that_share_decide_as_one_alone(limit: Limit, steps: list[tuple[float, int]]) -> None:
    writers, one = Writers(limit, 8), One(limit)
    for now, writer in times(limit, steps):
        assert writers.take(writer, now) == one.take(now)


@given(LIMITS, STEPS)
def test_never_more_than_the_burst_and_the_rate(limit: Limit, steps: list[tuple[float, int]]) -> None:
    """Whatever comes when: between any two moments no more than the time between them pays for, and the burst."""
    writers = Writers(limit, 8)
    passed = [now for now, writer in times(limit, steps) if not writers.take(writer, now)]
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            paid_ns = passed[last] - start + limit.ahead_ns + limit.unit_ns + limit.slack_ns
            assert (last - first + 1) * limit.unit_ns <= paid_ns + limit.unit_ns


@given(LIMITS, STEPS)
def test_who_waits_as_long_as_told_is_let_through(limit: Limit, steps: list[tuple[float, int]]) -> None:
    writers = Writers(limit, 8)
    for now, writer in times(limit, steps):
        wait = writers.take(writer, now)
        if wait:
            assert wait <= limit.ahead_ns + limit.unit_ns
            assert not deepcopy(writers).take(0, now + wait)


@given(LIMITS, STEPS, st.integers(0, 7))
def test_a_share_that_is_lost_refuses_nobody(limit: Limit, steps: list[tuple[float, int]], lost: int) -> None:
    """A key that one worker has dropped: what the others know adds up to no more than before, or is paid already."""
    writers, now = Writers(limit, 8), START
    for now, writer in times(limit, steps):
        writers.take(writer, now)
    _, due = merged(*list(zip(*writers.shares, strict=True))[:2])
    kept = [share for number, share in enumerate(writers.shares) if number != lost]
    _, due_without = merged(*list(zip(*kept, strict=True))[:2])
    assert due_without <= max(due, now)


@pytest.mark.parametrize("load", [1.5, 2, 4, 20])
@pytest.mark.parametrize(("rate", "burst"), [(500, 0), (500, 50), (500, 1), (5, 0), (1, 0), (100, 200)])
def test_steady_overload_gets_the_rate_from_its_first_moment(rate: int, burst: int, load: float) -> None:
    passed = steady(Limit.of(rate, 1, burst), load * rate, 10)
    if load < 2 and burst != 1:
        assert 10 * rate - 1 <= len(passed) <= 10 * rate + (burst or rate), "a moment without a refusal is a quiet one"
    else:
        assert 10 * rate - 1 <= len(passed) <= 10 * rate + 1


def test_less_than_the_rate_is_never_refused() -> None:
    assert len(steady(Limit.of(500), 499, 10)) == 4990


@pytest.mark.parametrize("burst", [1, 2, 5, 20])
def test_a_burst_comes_at_once_and_again_when_it_is_paid(burst: int) -> None:
    writers = Writers(Limit.of(5, 1, burst), 4)
    now = START
    for _ in range(5):
        assert [writers.take(number % 4, now) == 0 for number in range(burst + 3)] == [True] * burst + [False] * 3
        now += burst * S // 5 + S


def test_batches_of_the_whole_rate_are_never_refused() -> None:
    writers = Writers(Limit.of(5), 4)
    for second in range(10):
        assert not any(writers.take(number % 4, START + second * S) for number in range(5))


def test_who_knocks_is_told_when_all_is_paid_and_who_is_quiet_waits_less() -> None:
    limit = Limit.of(10)
    writers = Writers(limit, 1)
    assert [writers.take(0, START) for _ in range(11)] == [0] * 10 + [S]
    assert writers.take(0, START + S // 2 - 1) > 0
    patient = Writers(limit, 1)
    assert [patient.take(0, START) for _ in range(11)] == [0] * 10 + [S]
    assert not patient.take(0, START + S // 2)


def test_a_limit_is_told_from_others() -> None:
    assert Limit.of(5).tag == Limit.of(5, 1, 5).tag != 0
    assert len({Limit.of(rate, per_s, burst).tag for rate in (5, 6) for per_s in (1, 2) for burst in (1, 2)}) == 8


@pytest.mark.parametrize(("rate", "per_s", "unit_ns"), [(500, 1, 2_000_000), (1, 3600, 3600 * S), (1_000_000, 1, 1000)])
def test_units(rate: int, per_s: float, unit_ns: int) -> None:
    assert Limit.of(rate, per_s).unit_ns == unit_ns
    assert Limit.of(rate, per_s).ahead_ns == (rate - 1) * unit_ns
    assert Limit.of(rate, per_s, 1).ahead_ns == 0


def test_shares_are_merged() -> None:
    assert merged([0, 0], [0, 0]) == (0, 0)
    assert merged([130, 90, 110], [100, 50, 100]) == (100, 140), "what came before the epoch is not counted"


@pytest.mark.parametrize(("wait_ns", "expected"), [(1, 1), (S, 1), (S + 1, 2), (90 * S, 90)])
def test_time_to_wait(wait_ns: int, expected: int) -> None:
    assert seconds(wait_ns) == expected


def test_rooms() -> None:
    assert Room.compiled(0, None) is None
    assert Room.compiled(5, None) == Room(5, 0, 0)
    assert Room.compiled(5, {"size": 3, "timeout_s": 2}) == Room(5, 3, 2)


@given(LIMITS, st.floats(0.01, 1))
def test_a_part_of_a_limit_gives_that_part_of_the_rate_and_the_burst(limit: Limit, share: float) -> None:
    part = limit.part(share)
    assert part.unit_ns == pytest.approx(limit.unit_ns / share, rel=1e-6, abs=1)
    burst, part_burst = 1 + limit.ahead_ns / limit.unit_ns, 1 + part.ahead_ns / part.unit_ns
    rounded = 2 * burst / min(limit.unit_ns, part.unit_ns)  # both are whole nanoseconds
    assert part_burst == pytest.approx(max(1, burst * share), rel=1e-6, abs=rounded)
    assert (part.tag, part.rate) == (limit.tag, limit.rate), "what was owed before stays owed"


@given(LIMITS)
def test_the_whole_is_a_part(limit: Limit) -> None:
    assert limit.part(1) == limit


def test_parts_together_let_the_rate_through() -> None:
    limit = Limit.of(300, is_shared=True)
    passed = sum(len(steady(limit.part(share), 1000, 10)) for share in (0.6, 0.3, 0.1))
    assert passed == pytest.approx(3000, rel=0.02)


@pytest.mark.parametrize("uptime_s", [60, 3_700, 7_300])
def test_what_was_never_refused_is_not_pressed_however_young_the_clock_is(uptime_s: int) -> None:
    """The clock begins with the machine: one that has been up for an hour refused nothing an hour ago."""
    limit, now = Limit.of(1, 3600), uptime_s * S
    wait, epoch = limit.decide(now, 0, 0, 0)
    assert wait == 0
    assert limit.decide(now + 1, epoch, epoch + limit.unit_ns, 0)[0] > 3_500 * S


@pytest.mark.parametrize("uptime_s", [0, 60, 3_700])
def test_a_burst_comes_at_once_however_young_the_clock_is(uptime_s: int) -> None:
    limit, now = Limit.of(6, 3600, burst=2), uptime_s * S
    wait, epoch = limit.decide(now, 0, 0, 0)
    assert wait == 0
    assert limit.decide(now + 1, epoch, epoch + limit.unit_ns, 0) == (0, epoch)
    assert limit.decide(now + 2, epoch, epoch + 2 * limit.unit_ns, 0)[0] > 1_000 * S
