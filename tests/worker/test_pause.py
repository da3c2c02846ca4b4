from time import monotonic

import gevent
import pytest

from gproxy.worker.link import ClientGone, hub
from gproxy.worker.pause import Pause
from tests.worker.peer import eventually, limited


def test_it_ends_with_time() -> None:
    begun = monotonic()
    with limited():
        Pause().sleep(0.02)
    assert monotonic() - begun >= 0.015


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_is_one_turn_of_the_loop(seconds: float) -> None:
    with limited():
        Pause().sleep(seconds)


def test_it_ends_when_it_is_interrupted() -> None:
    pause = Pause()
    said: list[bool] = []
    hub.loop.run_callback(lambda: said.append(pause.interrupt(ClientGone("closed by the client"))))
    with limited(), pytest.raises(ClientGone):
        pause.sleep(60)
    eventually(lambda: said == [True])


def test_nobody_sleeps_nobody_is_interrupted() -> None:
    pause = Pause()
    assert not pause.interrupt(ClientGone("closed by the client"))
    pause.sleep(0)
    gevent.sleep(0)
    assert not pause.interrupt(ClientGone("closed by the client"))


def test_it_ends_with_a_word() -> None:
    pause = Pause()
    pause.wake()  # nobody parks: nothing happens
    hub.loop.run_callback(pause.wake)
    with limited():
        pause.park()
    pause.wake()
