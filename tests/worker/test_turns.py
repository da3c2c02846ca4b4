import socket

import pytest

from gproxy.worker import turns
from gproxy.worker.link import READ, hub
from gproxy.worker.turns import NextTurn, Turns


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
