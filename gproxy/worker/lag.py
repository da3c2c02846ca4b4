"""How late the loop of a worker is: what a request waits for before anybody looks at it."""


class Lag:
    """The longest delay of a timer that should come every `period_s`, over the last one to two windows."""

    def __init__(self, period_s: float, ticks_per_window: int) -> None:
        self._period_s = period_s
        self._ticks_per_window = ticks_per_window
        self._ticks = 0
        self._last_s = 0.0
        self._worst_s = 0.0
        self._worst_before_s = 0.0

    def tick(self, now_s: float) -> None:
        """Note that the timer has come."""
        if self._last_s:
            late_s = now_s - self._last_s - self._period_s
            if late_s > self._worst_s:
                self._worst_s = late_s
        self._last_s = now_s
        self._ticks += 1
        if self._ticks == self._ticks_per_window:
            self._worst_before_s, self._worst_s, self._ticks = self._worst_s, 0.0, 0

    @property
    def worst_us(self) -> int:
        """The longest delay in microseconds."""
        return int(max(self._worst_s, self._worst_before_s) * 1e6)
