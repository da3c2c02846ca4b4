from gproxy.worker.lag import Lag


def test_the_longest_delay_of_the_last_windows() -> None:
    lag = Lag(0.02, 3)
    lag.tick(10.0)
    assert lag.worst_us == 0, "there is nothing to compare with"
    lag.tick(10.02)
    lag.tick(10.09)
    assert abs(lag.worst_us - 50_000) < 10
    for now in (10.11, 10.14, 10.16):
        lag.tick(now)
    assert abs(lag.worst_us - 10_000) < 10, "the window before has gone"


def test_a_timer_that_comes_early_is_not_late() -> None:
    lag = Lag(0.02, 3)
    for now in (10.0, 10.01, 10.02, 10.03):
        lag.tick(now)
    assert lag.worst_us == 0
