"""How slow a client may be: it has a credit of seconds, which waiting for it uses up and what it moves earns back.

So one byte now and then, each just in time, does not keep a connection for ever, and a slow line that goes on is
served to the end. The credit is never more than the longest wait; while nobody waits for the client it comes back.
"""

from __future__ import annotations

from gproxy.worker.deadlines import NEVER


class Pace:
    """The credit of one direction of one connection: at most `most_s` seconds, each byte earning 1 / `rate` of one.

    `rate` 0: only a wait without any progress is limited. All times are monotonic seconds.
    """

    __slots__ = ("_at", "_credit_s", "_most_s", "_per_byte_s")

    def __init__(self, most_s: float, rate: int, now: float) -> None:
        self._most_s = most_s
        self._per_byte_s = 1 / rate if rate else NEVER
        self._credit_s = most_s
        self._at = now

    def wait(self, now: float) -> float:
        """Begin to wait for the client; return until when."""
        self._credit_s = min(self._most_s, self._credit_s + now - self._at)
        self._at = now
        return now + self._credit_s

    def moved(self, count: int, now: float) -> None:
        """Note that the wait has brought `count` bytes forward."""
        earned_s = count * self._per_byte_s if count else 0.0
        self._credit_s = min(self._most_s, self._credit_s - (now - self._at) + earned_s)
        self._at = now
