"""Leads requests along the routing rules of their nodes."""

from __future__ import annotations

from collections.abc import Sequence
from random import shuffle
from time import time
from typing import TYPE_CHECKING, Final

from gproxy.core.deck import Deck
from gproxy.core.rule import Rule, Verdict

if TYPE_CHECKING:
    from gproxy.core.node import Node, Way
    from gproxy.worker.exchange import Exchange

#: Decks that are remembered: those of rules that are gone go as well, when there are too many.
_MOST_DECKS: Final = 1_000


class Steering:
    """Decides for one worker; the shares that are not sticky are exact in each."""

    def __init__(self) -> None:
        self._decks: dict[str, Deck] = {}

    def ways(self, exchange: Exchange, node: Node) -> tuple[Way | None, Sequence[Way]]:
        """Return the way that a request at this node takes instead, and those that copies of it take.

        The first is None when no rule leads it elsewhere.
        """
        now_s, taken = time(), None
        copied: list[Way] = []
        for way in node.ways:
            if taken is not None and way.rule.mirror is None:
                continue
            if way.rule.verdict(exchange, now_s, self._deal) is not Verdict.APPLIES:
                continue
            if way.rule.mirror is None:
                taken = way
            else:
                copied.append(way)
        return taken, copied

    def _deal(self, rule: Rule) -> bool:
        deck = self._decks.get(rule.name)
        if deck is None or deck.percent != rule.percent:
            if len(self._decks) >= _MOST_DECKS:
                self._decks.clear()
            deck = self._decks[rule.name] = Deck(rule.percent, shuffle)
        return deck.deal()
