from gadmin.accounts.throttle import FORGET_S, LONGEST_S, MOST, Throttle


def test_mistyping_costs_nothing_and_then_each_failure_twice_as_much() -> None:
    throttle = Throttle(free=2)
    assert [throttle.fail("a", 0) for _ in range(5)] == [0, 0, 2, 4, 8]
    assert throttle.wait_s("a", 3) == 5
    assert throttle.wait_s("a", 9) == 0
    assert throttle.wait_s("b", 0) == 0


def test_the_wait_has_an_end() -> None:
    throttle = Throttle(free=0)
    assert [throttle.fail("a", 0) for _ in range(2000)][-1] == LONGEST_S


def test_what_was_long_ago_is_forgotten() -> None:
    throttle = Throttle(free=1)
    for _ in range(9):
        throttle.fail("a", 0)
    assert throttle.fail("a", FORGET_S + 1) == 0
    throttle.fail("b", 0)
    throttle.forget("b")
    assert throttle.fail("b", 0) == 0


def test_made_up_names_do_not_fill_the_memory() -> None:
    throttle = Throttle(free=0)
    for number in range(MOST + 10):
        throttle.fail(str(number), 0)
    assert throttle.wait_s("0", 0) == 0
    assert throttle.wait_s(str(MOST), 0) > 0
