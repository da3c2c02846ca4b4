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


class Expiring(Protocol):
    """What the wheel can hold. Both in monotonic seconds: `due` is when the wheel looks at it, NEVER if not listed."""

    deadline: float
    due: float

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
        if deadline < link.due:
            self.enter(link, deadline)

    def enter(self, link: Expiring, deadline: float) -> None:
        """Have a look at `link` at `deadline`, which is before its `due`."""
        slots = self._slots
        if link.due != NEVER:
            listed = slots.get(_slot(link.due))
            if listed is not None:  # else its slot is being swept
                listed.discard(link)
        slot = max(int(deadline * _PER_S) + 1, self._next)
        link.due = slot * TICK_S
        entries = slots.get(slot)
        if entries is None:
            slots[slot] = {link}
        else:
            entries.add(link)

    def forget(self, link: Expiring) -> None:
        """Take `link` out of the wheel for good."""
        link.deadline = NEVER
        if link.due != NEVER:
            entries = self._slots.get(_slot(link.due))
            if entries is not None:
                entries.discard(link)
            link.due = NEVER

    def sweep(self) -> None:
        """Expire every link whose deadline has passed."""
        now = monotonic()
        first, last = self._next, int(now * _PER_S)
        self._next = last + 1  # what expires may set deadlines that have passed: they belong to the next sweep
        for slot in range(first, last + 1):
            for link in self._slots.pop(slot, ()):
                link.due = NEVER
                if link.deadline <= now:
                    link.deadline = NEVER
                    link.expire()
                elif link.deadline != NEVER:
                    self.enter(link, link.deadline)


def _slot(due: float) -> int:
    return round(due * _PER_S)
