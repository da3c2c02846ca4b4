"""Long work in slices: one slice per turn of the loop, after everything else that the turn brought.

`gevent.sleep(0)` is no way to do that: the loop runs fifty callbacks in a row before it looks at sockets again, which
with slices of a millisecond is a stall of 50 ms. A descriptor that is always readable comes up once per poll.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from time import monotonic

from greenlet import getcurrent

from gproxy.worker.link import READ, hub, switch

#: how long one slice may hold the loop
SLICE_S = 0.001
#: how long all tasks of one turn may hold the loop: what is left goes on in the turn after it
TURN_S = 0.001
#: always readable
_always = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


class NextTurn:
    """Tasks that go on in the next turn of the loop, after all that it finds at the sockets.

    Each turn has a bounded time for them, first come first served: however many want to go on, others are served.
    """

    def __init__(self) -> None:
        self._watcher = hub.loop.io(_always, READ, True, -2)
        self._is_watching = False
        self._tasks: deque[Callable[[], object]] = deque()

    def add(self, task: Callable[[], object]) -> None:
        """Call `task` from the loop in its next turn."""
        self._tasks.append(task)
        if not self._is_watching:
            self._is_watching = True
            self._watcher.start(self._run)

    def wait(self) -> None:
        """Park the calling greenlet until it may go on."""
        self.add(getcurrent().switch)
        switch(hub)

    def _run(self) -> None:
        tasks = self._tasks
        end = monotonic() + TURN_S
        for _ in range(len(tasks)):  # what comes meanwhile is for the next turn
            tasks.popleft()()
            if monotonic() >= end:
                break
        if not tasks:
            self._is_watching = False
            self._watcher.stop()


class Turns:
    """Slices for one task: call `rest_if_due` often, it parks when the slice is used up."""

    def __init__(self, next_turn: NextTurn) -> None:
        self._next_turn = next_turn
        self._slice_end = 0.0

    def begin(self) -> None:
        """Start the first slice."""
        self._slice_end = monotonic() + SLICE_S

    def rest_if_due(self) -> None:
        """Let the loop have its turn if this slice is used up."""
        if monotonic() < self._slice_end:
            return
        self._next_turn.wait()
        self.begin()
