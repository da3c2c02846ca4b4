"""A sliding window of counts as a ring of slices, each stamped with what it belongs to.

A slice is three numbers of 64 bits: requests, failures and slow answers. Each carries its own stamp, so one that
was last written for another time, or for another epoch, is not counted, and nobody has to clear it in time:

    | tag 16 bits | number of the slice 24 bits | count 24 bits |

The window ends now and begins SLICES - 1 whole slices ago: it is up to one slice shorter than asked for, never
longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SLICES: Final = 16
REQUESTS, FAILURES, SLOW = range(3)
KINDS: Final = 3
CELLS: Final = SLICES * KINDS
#: 24 bits hold 46,000 requests a second of one worker for the longest slice there is (an hour / SLICES)
COUNT: Final = (1 << 24) - 1
_NUMBER: Final = (1 << 24) - 1
#: a stamp that no cell carries
_NONE: Final = 1 << 64


def number(now_us: int, window_us: int) -> int:
    """Return the number of the slice that `now_us` falls into, of a window of `window_us`."""
    return now_us * SLICES // window_us


def end_us(number: int, window_us: int) -> int:
    """Return when a slice ends: the first microsecond of the next one."""
    return -(-(number + 1) * window_us // SLICES)


def place(number: int) -> int:
    """Return where the three cells of a slice begin within the window's CELLS."""
    return number % SLICES * KINDS


def stamp(tag: int, number: int) -> int:
    """Return the stamp of a slice, in its place above the count; `tag` is 16 bits."""
    return tag << 48 | (number & _NUMBER) << 24


def stamps(tag: int, number: int) -> list[int]:
    """Return the stamps that count when `number` is the present slice, in the order of their places."""
    first = number - SLICES + 1
    found = [stamp(tag, first + offset) for offset in range(SLICES)]
    turn = -first % SLICES
    return found[turn:] + found[:turn]


def stamps_before(tag: int, number: int) -> list[int]:
    """Return the same without the present slice: what is past does not change any more."""
    found = stamps(tag, number)
    found[number % SLICES] = _NONE
    return found


def sums(cells: Sequence[int], counting: Sequence[int]) -> tuple[int, int, int]:
    """Return the requests, failures and slow answers of one window; `counting` are the `stamps` of now."""
    totals = [0, 0, 0]
    for kind in range(KINDS):
        total = 0
        for cell, stamped in zip(cells[kind::KINDS], counting, strict=True):
            count = cell ^ stamped
            if count <= COUNT:
                total += count
        totals[kind] = total
    return totals[REQUESTS], totals[FAILURES], totals[SLOW]
