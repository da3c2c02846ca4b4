"""A fuse for code that may be faulty: after so many errors in a row it rests, and then one call may try again."""

from __future__ import annotations


class Fuse:
    """Blows at `most` errors in a row, for `rest_s` seconds at a time; `most` 0: never. Times are monotonic seconds."""

    __slots__ = ("_in_a_row", "_most", "_rest_s", "_until")

    def __init__(self, most: int, rest_s: float) -> None:
        self._most = most
        self._rest_s = rest_s
        self._in_a_row = 0
        self._until = 0.0

    @property
    def is_blown(self) -> bool:
        """Say whether errors have put it out of service, and no success has brought it back."""
        return self._until > 0

    def may_try(self, now: float) -> bool:
        """Say whether a call may be made; of those that find the rest over, the first one only."""
        if not self._until:
            return True
        if now < self._until:
            return False
        self._until = now + self._rest_s
        return True

    def succeeded(self) -> bool:
        """Note a success; returns whether it ends a rest."""
        self._in_a_row = 0
        ended, self._until = self._until > 0, 0.0
        return ended

    def failed(self, now: float) -> bool:
        """Note an error; returns whether it is the one that begins a rest."""
        self._in_a_row += 1
        if not self._most or self._in_a_row < self._most:
            return False
        begins = not self._until
        self._until = now + self._rest_s
        return begins
