"""A wait that ends with time, or when the client leaves."""

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
        self._sleeper = getcurrent()
        timer.start(self._wake)
        try:
            switch(hub)
        finally:
            timer.close()

    def interrupt(self, error: BaseException) -> bool:
        """Raise `error` in the greenlet that sleeps; False when there is none. Only from the hub."""
        sleeper = self._sleeper
        if sleeper is None:
            return False
        self._sleeper = None
        sleeper.throw(error)
        return True

    def _wake(self) -> None:
        sleeper = self._sleeper
        if sleeper is not None:
            self._sleeper = None
            sleeper.switch()
