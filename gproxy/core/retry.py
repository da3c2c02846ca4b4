"""When a request may be sent again, how long to wait before, and how many may do so at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gproxy.core import statuses

#: Methods whose requests may be sent again when nobody knows whether they arrived (RFC 9110 section 9.2.2).
IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
#: The value of `methods` that stands for them.
IDEMPOTENT_NAME: Final = "idempotent"
#: The wait before another attempt doubles with each one, up to so many times the first.
MOST_BACKOFF: Final = 10
#: Of the requests in flight so many percent may be at a further attempt, and always so many: retries must not finish
#: off servers that are failing because there is too much to do.
BUDGET_PERCENT: Final = 20
BUDGET_LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class Retry:
    """The compiled `retry` of an API or a cluster. Times in seconds, 0 for no limit; `attempts` counts the first."""

    attempts: int
    per_try_timeout_s: float
    statuses: frozenset[int]
    methods: frozenset[bytes]
    backoff_s: float
    report: bool

    @classmethod
    def compiled(cls, document: Mapping[str, Any] | None) -> Retry | None:
        """Return what a normalised `retry` means, None when it is absent."""
        if document is None:
            return None
        return cls(
            attempts=document["attempts"],
            per_try_timeout_s=document["per_try_timeout_s"],
            statuses=statuses.parse(document["statuses"]),
            methods=methods(document["methods"]),
            backoff_s=document["backoff_ms"] / 1000,
            report=document["report"],
        )

    def may_repeat(self, attempt: int, method: bytes, was_sent: bool) -> bool:
        """Say whether number `attempt` (1 is the first) may be followed by another one.

        A request of which no server has seen a byte may, whatever its method.
        """
        return attempt < self.attempts and (not was_sent or method in self.methods)

    def longest_pause_s(self, attempt: int) -> float:
        """Return how long to wait at most after number `attempt`; the wait itself is anything below (full jitter)."""
        return self.backoff_s * min(1 << (attempt - 1), MOST_BACKOFF)


def has_budget(active: int, repeating: int) -> bool:
    """Say whether one more of `active` requests may be repeated while `repeating` of them are already."""
    return repeating < max(BUDGET_LEAST, active * BUDGET_PERCENT / 100)


def methods(text: str) -> frozenset[bytes]:
    """Return the methods that a checked list names: "idempotent", or "GET, POST"."""
    if text == IDEMPOTENT_NAME:
        return IDEMPOTENT
    return frozenset(method.strip().encode("ascii") for method in text.split(","))
