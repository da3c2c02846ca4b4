"""A share of all requests, exact over time and yet without a pattern.

Chance alone would give 10 % of 100 requests as anything from 4 to 16; every tenth would be exact, but in step with
clients that always ask for the same ten things in turn. So requests are dealt cards from a deck of a hundred, of which
as many are hits as the percentage says, in random order; what is left of a fraction goes into the next deck.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Cards in a deck: after so many requests the share is exact again.
CARDS: Final = 100


class Deck:
    """Deals hits for `percent` of the calls; `shuffle` puts a list in random order."""

    __slots__ = ("_cards", "_owed", "_shuffle", "percent")

    def __init__(self, percent: float, shuffle: Callable[[list[bool]], None]) -> None:
        self.percent = percent
        self._shuffle = shuffle
        self._owed = 0.0
        self._cards: list[bool] = []

    def deal(self) -> bool:
        """Say whether this request is one of the share."""
        if not self._cards:
            self._owed += self.percent * CARDS / 100
            # Percentages are decimal and floats are not: three times a third of a hit are one.
            hits = int(self._owed + 1e-6)
            self._owed -= hits
            self._cards = [True] * hits + [False] * (CARDS - hits)
            self._shuffle(self._cards)
        return self._cards.pop()
