"""Waiting for a condition with a deadline, in place of sleeping for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: how often a condition is looked at again, in seconds
_PAUSE_S = 0.01


def eventually(condition: Callable[[], T], within_s: float = 10.0, about: str = "") -> T:
    """Return the first truthy result of `condition`; raises AssertionError when there is none within `within_s`."""
    give_up = time.monotonic() + within_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > give_up:
            raise AssertionError(f"not within {within_s} s: {about or condition}; last: {result!r}")
        time.sleep(_PAUSE_S)


def settled(measure: Callable[[], int], still_s: float = 0.5, within_s: float = 20.0) -> int:
    """Return the value of `measure` once it has not changed for `still_s` seconds."""
    give_up = time.monotonic() + within_s
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < still_s:
        if time.monotonic() > give_up:
            raise AssertionError(f"still changing after {within_s} s: {value}")
        time.sleep(_PAUSE_S)
        now = measure()
        if now != value:
            value, since = now, time.monotonic()
    return value
