"""A wait that ends with time or with a word, or when the client leaves."""

from __future__ import annotations

from greenlet import getcurrent, greenlet

from gproxy.worker.link import hub, switch


class Pause:
    """Parks the calling greenlet; stands where a link stands that can be interrupted (`Client.waits_for`)."""

    __slots__ = ("_sleeper",)

    def __init__(self) -> None:
        self._sleeper: greenlet | None = None

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds; raises what `interrupt` is given."""
        timer = hub.loop.timer(max(seconds, 0.0))
        timer.start(self.wake)
        try:
            self.park()
        finally:
            timer.close()

    def park(self) -> None:
        """Return when somebody calls `wake`; raises what `interrupt` is given."""
        self._sleeper = getcurrent()
        switch(hub)

    def interrupt(self, error: BaseException) -> bool:
        """Raise `error` in the greenlet that sleeps; False when there is none. Only from the hub."""
        sleeper = self._sleeper
        if sleeper is None:
            return False
        self._sleeper = None
        sleeper.throw(error)
        return True

    def wake(self) -> None:
        """End the wait, if there still is one. Only from the hub."""
        sleeper = self._sleeper
        if sleeper is not None:
            self._sleeper = None
            sleeper.switch()
