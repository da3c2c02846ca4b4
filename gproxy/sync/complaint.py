"""Saying a lasting trouble without filling the log with it, and spacing the attempts to get over it."""

import logging
import random
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

#: A trouble that lasts is repeated after this time, then after twice as long, and so on up to the longest.
REPEAT_FIRST_S: Final = 10.0
REPEAT_MOST_S: Final = 600.0

#: Pauses between attempts. The longest is what a cured trouble may still cost; an attempt costs next to nothing.
RETRY_FIRST_S: Final = 0.1
RETRY_MOST_S: Final = 3.0


class Complaint:
    """One kind of trouble: `what` is the sentence that begins each of its log lines. Times are monotonic."""

    def __init__(self, what: str, jitter: Callable[[], float] = random.random) -> None:
        self._what = what
        self._jitter = jitter
        self._reason = ""
        self._since_s = 0.0
        self._repeat_s = 0.0
        self._said_s = 0.0
        self._pause_s = 0.0
        self._next_try_s = 0.0

    @property
    def is_standing(self) -> bool:
        """Tell whether the trouble lasts."""
        return bool(self._reason)

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait before the next attempt."""
        return max(0.0, self._next_try_s - now_s) if self._reason else 0.0

    def raise_(self, reason: str, now_s: float) -> None:
        """Note a failed attempt; `reason` is one line. Said when it is new, and at growing intervals."""
        if not self._reason:
            self._since_s = now_s
            self._pause_s = RETRY_FIRST_S
        if reason != self._reason:
            self._repeat_s = REPEAT_FIRST_S
            self._say(reason, now_s)
        elif now_s - self._said_s >= self._repeat_s:
            self._repeat_s = min(2 * self._repeat_s, REPEAT_MOST_S)
            self._say(reason, now_s)
        self._reason = reason
        # Half fixed, half random: nodes that failed together do not come back together.
        self._next_try_s = now_s + self._pause_s * (0.5 + self._jitter() / 2)
        self._pause_s = min(2 * self._pause_s, RETRY_MOST_S)

    def settle(self, now_s: float) -> None:
        """Note that the trouble is over; says so if there was one."""
        if self._reason:
            log.info("%s: over", self._what, extra={"after_s": round(now_s - self._since_s, 1)})
        self._reason = ""

    def _say(self, reason: str, now_s: float) -> None:
        self._said_s = now_s
        lasted_s = round(now_s - self._since_s, 1)
        log.error("%s: %s", self._what, reason, extra={"for_s": lasted_s} if lasted_s else {})
