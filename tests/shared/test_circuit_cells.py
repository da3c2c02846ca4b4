import pytest

from gproxy.core.breaker import Circuit, State
from gproxy.shared import circuit_cells
from gproxy.shared.circuit_cells import newest, same_epoch, since_cell, tag, word

SLOT = 64


def cells_of(*slots: tuple[int, Circuit]) -> memoryview:
    """Return the cells of some slots, each with one word: (generation, circuit)."""
    cells = memoryview(bytearray(len(slots) * SLOT * 8)).cast("Q")
    for place, (generation, circuit) in enumerate(slots):
        cells[place * SLOT] = word(generation, circuit)
        cells[place * SLOT + since_cell(circuit.epoch)] = circuit.since_us
    return cells


@pytest.mark.parametrize("epoch", [1, 2, 1 << 39])
@pytest.mark.parametrize("state", State)
def test_a_word_holds_a_circuit(epoch: int, state: State) -> None:
    circuit = Circuit(epoch, state, 27, 1 << 60)
    assert newest(cells_of((5, circuit)), [0], 5)[1:] == (circuit, 0)


def test_the_greatest_word_is_the_circuit() -> None:
    old, new = Circuit(3, State.OPEN, 9, 70), Circuit(4, State.CLOSED, 0, 80)
    assert newest(cells_of((0, old), (0, new), (0, old)), [0, SLOT, 2 * SLOT], 0)[1:] == (new, SLOT)


def test_of_two_moves_at_once_the_more_careful_counts() -> None:
    closed, opened = Circuit(4, State.CLOSED, 2, 70), Circuit(4, State.OPEN, 2, 71)
    assert newest(cells_of((0, closed), (0, opened)), [0, SLOT], 0)[1] == opened


def test_of_equal_words_the_lowest_slot_counts() -> None:
    first, second = Circuit(1, State.OPEN, 0, 71), Circuit(1, State.OPEN, 0, 70)
    assert newest(cells_of((0, first), (0, second)), [0, SLOT], 0)[1:] == (first, 0)


def test_words_of_one_epoch() -> None:
    opened = word(3, Circuit(4, State.OPEN, 2, 0))
    assert same_epoch(opened, word(3, Circuit(4, State.CLOSED, 1, 9)))
    assert not same_epoch(opened, word(3, Circuit(5, State.OPEN, 2, 0)))
    assert not same_epoch(opened, word(4, Circuit(4, State.OPEN, 2, 0)))


def test_words_of_another_owner_are_nothing() -> None:
    cells = cells_of((1, Circuit(9, State.OPEN, 0, 70)))
    for generation in (0, 2):
        assert newest(cells, [0], generation) == (0, Circuit(), -1)
    assert newest(cells, [0], 1 + (1 << 16))[1].epoch == 9


def test_tags_of_neighbours_differ() -> None:
    tags = {tag(generation, epoch) for generation in range(8) for epoch in range(1000)}
    assert len(tags) == 8000
    assert max(tags) < 1 << 16
    assert circuit_cells.pair(max(tags), circuit_cells.PART, circuit_cells.PART) < 1 << 64
