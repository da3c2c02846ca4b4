"""Deadlines of many links at a cost near zero per wait: a wheel of coarse ticks, corrected lazily.

Setting a deadline stores a number; the link is entered into a slot of the wheel only when it has no entry that comes
up earlier. When a slot comes up, a link whose deadline has moved on is entered again, the others expire. So a busy
keep-alive connection is entered about once per time-out length, however many requests it carries.
"""

from __future__ import annotations

from time import monotonic
from typing import Protocol

TICK_S = 0.02
_PER_S = 1 / TICK_S
NEVER = float("inf")
#: slot number of something that is not in the wheel; larger than every real slot
UNLISTED = 1 << 62


class Expiring(Protocol):
    """What the wheel can hold: `deadline` in monotonic seconds, `slot` is the wheel's own note."""

    deadline: float
    slot: int

    def expire(self) -> None:
        """The deadline has passed."""
        ...


class Deadlines:
    """The wheel of one worker; `sweep` is called once per TICK_S.

    `stall_s` is how long a peer may take no byte of what is written to it.
    """

    __slots__ = ("_slots", "_next", "stall_s")

    def __init__(self, stall_s: float) -> None:
        self.stall_s = stall_s or NEVER
        self._slots: dict[int, set[Expiring]] = {}
        self._next = int(monotonic() * _PER_S)

    def set(self, link: Expiring, deadline: float) -> None:
        """Let `link` expire at `deadline` (monotonic seconds), or never before it is set again (NEVER)."""
        link.deadline = deadline
        if deadline * _PER_S < link.slot - 1:
            self._enter(link, deadline)

    def forget(self, link: Expiring) -> None:
        """Take `link` out of the wheel for good."""
        link.deadline = NEVER
        if link.slot != UNLISTED:
            entries = self._slots.get(link.slot)
            if entries is not None:
                entries.discard(link)
            link.slot = UNLISTED

    def sweep(self) -> None:
        """Expire every link whose deadline has passed."""
        now = monotonic()
        last = int(now * _PER_S)
        for slot in range(self._next, last + 1):
            for link in self._slots.pop(slot, ()):
                link.slot = UNLISTED
                if link.deadline <= now:
                    link.deadline = NEVER
                    link.expire()
                elif link.deadline != NEVER:
                    self._enter(link, link.deadline)
        self._next = last + 1

    def _enter(self, link: Expiring, deadline: float) -> None:
        slots = self._slots
        if link.slot != UNLISTED:
            slots[link.slot].discard(link)
        slot = max(int(deadline * _PER_S) + 1, self._next)
        link.slot = slot
        entries = slots.get(slot)
        if entries is None:
            slots[slot] = {link}
        else:
            entries.add(link)
