"""How fast passwords can be tried: each failure makes the next attempt wait longer, by address and by user name.

Pure: `now_s` is an argument. Counts are kept in memory, per admin; a lock of a user, which `Accounts` shares through
the store, follows from them, so several admins do not multiply the attempts.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

#: The wait after the first failure beyond those; it doubles with each further one.
FIRST_S: Final = 2.0
LONGEST_S: Final = 300.0
#: After so long without a failure all is forgotten.
FORGET_S: Final = 3600.0
#: Names and addresses that are remembered: strangers can make up any number of them.
MOST: Final = 10_000


@dataclass(slots=True)
class _Count:
    failures: int
    last_s: float
    until_s: float


class Throttle:
    """Failures by key, an address or a user name; the first `free` ones cost nothing: people mistype."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Return how long this key has to wait, 0 when it need not."""
        count = self._counts.get(key)
        return max(0.0, count.until_s - now_s) if count is not None else 0.0

    def fail(self, key: str, now_s: float) -> float:
        """Note a failure; return how long the key has to wait now."""
        count = self._counts.pop(key, None)
        if count is None or now_s - count.last_s > FORGET_S:
            count = _Count(0, now_s, 0.0)
        self._counts[key] = count
        count.failures += 1
        count.last_s = now_s
        beyond = count.failures - self._free
        wait_s = min(LONGEST_S, FIRST_S * 2 ** min(beyond - 1, 30)) if beyond > 0 else 0.0
        count.until_s = now_s + wait_s
        if len(self._counts) > MOST:
            self._counts.popitem(last=False)
        return wait_s

    def forget(self, key: str) -> None:
        """Begin anew for a key."""
        self._counts.pop(key, None)
