"""Long work in slices: one slice per turn of the loop, after everything else that the turn brought.

`gevent.sleep(0)` is no way to do that: the loop runs fifty callbacks in a row before it looks at sockets again, which
with slices of a millisecond is a stall of 50 ms. A descriptor that is always readable comes up once per poll.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

from greenlet import getcurrent

from gproxy.worker.link import READ, hub, switch

#: how long one slice may hold the loop
SLICE_S = 0.001
#: always readable
_always = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


class NextTurn:
    """Tasks that go on in the next turn of the loop, after all that it finds at the sockets."""

    def __init__(self) -> None:
        self._watcher = hub.loop.io(_always, READ, True, -2)
        self._tasks: list[Callable[[], object]] = []

    def add(self, task: Callable[[], object]) -> None:
        """Call `task` from the loop in its next turn."""
        if not self._tasks:
            self._watcher.start(self._run)
        self._tasks.append(task)

    def _run(self) -> None:
        self._watcher.stop()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task()


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
        self._next_turn.add(getcurrent().switch)
        switch(hub)
        self.begin()
