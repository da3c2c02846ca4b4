import socket
import time
from collections import Counter

import gevent
import pytest

from gproxy.worker import turns
from gproxy.worker.link import READ, hub
from gproxy.worker.turns import NextTurn, Turns
from tests.worker.peer import eventually


def test_sockets_are_served_between_any_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 0.0)
    near, far = socket.socketpair()
    with near, far:
        far.send(b"x")  # readable in every turn of the loop
        served: list[int] = []
        watcher = hub.loop.io(near.fileno(), READ)
        watcher.start(served.append, 1)
        seen: list[int] = []
        work = Turns(NextTurn())
        work.begin()
        for _ in range(5):
            work.rest_if_due()
            seen.append(len(served))
        watcher.stop()
        watcher.close()
    assert seen == sorted(set(seen)), "every slice saw at least one more event"


def test_a_slice_that_is_not_used_up_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 3600.0)
    ran: list[int] = []
    timer = hub.loop.timer(0)
    timer.start(ran.append, 1)
    work = Turns(NextTurn())
    work.begin()
    for _ in range(100):
        work.rest_if_due()
    timer.stop()
    timer.close()
    assert not ran, "the loop had no turn"


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_a_turn_takes_as_many_tasks_as_it_has_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.005)
    next_turn, done = NextTurn(), []
    near, far = socket.socketpair()
    with near, far:
        far.send(b"x")
        turn: list[int] = []
        watcher = hub.loop.io(near.fileno(), READ)
        watcher.start(turn.append, 1)
        for number in range(10):
            next_turn.add(lambda number=number: (spin(0.002), done.append((number, len(turn)))))
        eventually(lambda: len(done) == 10)
        watcher.stop()
        watcher.close()
    assert [number for number, _ in done] == list(range(10)), "first come first served"
    per_turn = Counter(when for _, when in done)
    assert max(per_turn.values()) <= 3
    assert len(per_turn) >= 4


def test_a_task_may_come_again() -> None:
    next_turn, ran = NextTurn(), []

    def task() -> None:
        ran.append(1)
        if len(ran) < 5:
            next_turn.add(task)

    next_turn.add(task)
    eventually(lambda: len(ran) == 5)
    gevent.idle()
    assert len(ran) == 5


def test_a_greenlet_waits_for_its_turn() -> None:
    next_turn, order = NextTurn(), []

    def run(name: str) -> None:
        for step in range(2):
            order.append(f"{name}{step}")
            next_turn.wait()

    waiting = [gevent.spawn(run, name) for name in "ab"]
    gevent.joinall(waiting, timeout=5)
    assert order == ["a0", "b0", "a1", "b1"]
