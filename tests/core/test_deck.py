from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.deck import CARDS, Deck


@given(st.floats(0, 100), st.integers(1, 30), st.integers())
def test_the_share_is_exact_after_each_deck(percent: float, decks: int, seed: int) -> None:
    deck = Deck(percent, Random(seed).shuffle)
    hits = 0
    for number in range(1, decks + 1):
        hits += sum(deck.deal() for _ in range(CARDS))
        assert abs(hits - number * CARDS * percent / 100) < 1 + 1e-4


@pytest.mark.parametrize("percent", [0, 100])
def test_none_and_all(percent: float) -> None:
    deck = Deck(percent, Random(1).shuffle)
    assert {deck.deal() for _ in range(1000)} == {percent == 100}


def test_fractions_are_made_up_for() -> None:
    deck = Deck(0.01, Random(1).shuffle)
    assert [sum(deck.deal() for _ in range(10_000)) for _ in range(5)] == [1] * 5


def test_hits_come_without_a_pattern() -> None:
    deck = Deck(50, Random(1).shuffle)
    dealt = [deck.deal() for _ in range(10_000)]
    # Of requests that come in pairs, it hits the first ones as often as the second ones, and any two neighbours.
    assert abs(sum(dealt[::2]) - sum(dealt[1::2])) < 200
    both = sum(first and second for first, second in zip(dealt[::2], dealt[1::2], strict=True))
    assert 1000 < both < 1500
