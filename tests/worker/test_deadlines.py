from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.worker import deadlines
from gproxy.worker.deadlines import NEVER, TICK_S, Deadlines


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Alarm:
    """Notes when it expired, and does `then`."""

    def __init__(self, clock: Clock, then: Callable[[], object] = lambda: None) -> None:
        self.deadline = NEVER
        self.due = NEVER
        self.rang: list[float] = []
        self.then = then
        self._clock = clock

    def expire(self) -> None:
        self.rang.append(self._clock.now)
        self.then()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(deadlines, "monotonic", clock)
    return clock


@pytest.fixture
def wheel(clock: Clock) -> Deadlines:
    return Deadlines(30)


def run(wheel: Deadlines, clock: Clock, seconds: float) -> None:
    """Sweep tick by tick."""
    for _ in range(round(seconds / TICK_S)):
        clock.now += TICK_S
        wheel.sweep()


@pytest.mark.parametrize(("configured", "stall_s"), [(30, 30), (0.5, 0.5), (0, NEVER)])
def test_zero_is_no_limit(configured: float, stall_s: float) -> None:
    assert Deadlines(configured).stall_s == stall_s


def test_a_deadline_expires_once_and_never_early(wheel: Deadlines, clock: Clock) -> None:
    alarm = Alarm(clock)
    wheel.set(alarm, clock.now + 1)
    run(wheel, clock, 0.98)
    assert alarm.rang == []
    run(wheel, clock, 0.1)
    assert len(alarm.rang) == 1
    assert 1001 <= alarm.rang[0] <= 1001 + 2 * TICK_S
    run(wheel, clock, 5)
    assert len(alarm.rang) == 1


def test_a_deadline_may_move(wheel: Deadlines, clock: Clock) -> None:
    later, sooner, off, again = (Alarm(clock) for _ in range(4))
    for alarm in (later, sooner, off, again):
        wheel.set(alarm, clock.now + 1)
    wheel.set(later, clock.now + 3)
    wheel.set(sooner, clock.now + 0.5)
    wheel.set(off, NEVER)
    wheel.set(again, NEVER)
    wheel.set(again, clock.now + 2)
    run(wheel, clock, 6)
    assert [round(alarm.rang[0] - 1000, 1) for alarm in (later, sooner, again)] == [3, 0.5, 2]
    assert off.rang == []


def test_a_deadline_that_has_passed_expires_at_the_next_sweep(wheel: Deadlines, clock: Clock) -> None:
    alarm = Alarm(clock)
    run(wheel, clock, 1)
    wheel.set(alarm, clock.now - 0.5)
    run(wheel, clock, TICK_S)
    assert len(alarm.rang) == 1


def test_what_is_forgotten_stays_silent_and_may_come_back(wheel: Deadlines, clock: Clock) -> None:
    alarm = Alarm(clock)
    wheel.forget(alarm)
    wheel.set(alarm, clock.now + 1)
    wheel.forget(alarm)
    wheel.forget(alarm)
    run(wheel, clock, 2)
    assert alarm.rang == []
    wheel.set(alarm, clock.now + 1)
    run(wheel, clock, 2)
    assert len(alarm.rang) == 1


def test_many_deadlines_expire_in_order(wheel: Deadlines, clock: Clock) -> None:
    alarms = [Alarm(clock) for _ in range(2000)]
    for number, alarm in enumerate(alarms):
        wheel.set(alarm, clock.now + (number * 37 % 2000) / 1000)
    run(wheel, clock, 2.1)
    by_deadline = sorted(alarms, key=lambda alarm: alarms.index(alarm) * 37 % 2000)
    moments = [alarm.rang[0] for alarm in by_deadline]
    assert moments == sorted(moments)


def test_a_loop_that_stood_still_catches_up(wheel: Deadlines, clock: Clock) -> None:
    alarms = [Alarm(clock) for _ in range(3)]
    for number, alarm in enumerate(alarms):
        wheel.set(alarm, clock.now + number)
    clock.now += 3600
    wheel.sweep()
    assert all(alarm.rang == [clock.now] for alarm in alarms)


def test_what_expires_may_set_itself_again(wheel: Deadlines, clock: Clock) -> None:
    alarm = Alarm(clock)
    alarm.then = lambda: wheel.set(alarm, clock.now + 0.5)
    wheel.set(alarm, clock.now + 0.5)
    run(wheel, clock, 2.6)
    assert len(alarm.rang) in (4, 5)


def test_what_expires_may_set_a_deadline_that_has_passed(wheel: Deadlines, clock: Clock) -> None:
    other = Alarm(clock)
    first = Alarm(clock, then=lambda: wheel.set(other, clock.now - 1))
    wheel.set(first, clock.now + 1)
    run(wheel, clock, 1.2)
    assert len(first.rang) == len(other.rang) == 1


@pytest.mark.parametrize("seconds", [-5.0, -0.001, 0.0, 0.5])
def test_what_expires_may_move_others_that_are_due_at_the_same_time(
    wheel: Deadlines, clock: Clock, seconds: float
) -> None:
    pair = [Alarm(clock), Alarm(clock)]

    def move_the_other() -> None:
        for alarm in pair:
            if not alarm.rang:
                wheel.set(alarm, clock.now + seconds)

    for alarm in pair:
        alarm.then = move_the_other
        wheel.set(alarm, clock.now + 1)
    run(wheel, clock, 2)
    assert [len(alarm.rang) for alarm in pair] == [1, 1]


def test_what_expires_may_forget_others_that_are_due_at_the_same_time(wheel: Deadlines, clock: Clock) -> None:
    alarms = [Alarm(clock) for _ in range(5)]

    def forget_all() -> None:
        for alarm in alarms:
            wheel.forget(alarm)

    for alarm in alarms:
        alarm.then = forget_all
        wheel.set(alarm, clock.now + 1)
    run(wheel, clock, 3)
    assert sum(len(alarm.rang) for alarm in alarms) == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["set", "off", "forget", "tick"]), st.integers(0, 200))))
def test_agrees_with_plain_timers(steps: list[tuple[int, str, int]]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:  # the fixture would be shared by all examples
        patch.setattr(deadlines, "monotonic", clock)
        wheel = Deadlines(1)
        alarms = [Alarm(clock) for _ in range(5)]
        wanted = [NEVER] * 5
        for number, step, hundredths in steps:
            alarm = alarms[number]
            if step == "tick":
                before = [len(each.rang) for each in alarms]
                clock.now += hundredths / 100
                wheel.sweep()
                for index, each in enumerate(alarms):
                    rang = len(each.rang) > before[index]
                    assert not rang or wanted[index] <= clock.now
                    assert rang or wanted[index] > clock.now - 2 * TICK_S
                    wanted[index] = NEVER if rang else wanted[index]
            elif step == "forget":
                wheel.forget(alarm)
                wanted[number] = NEVER
            else:
                wanted[number] = clock.now + hundredths / 100 if step == "set" else NEVER
                wheel.set(alarm, wanted[number])
