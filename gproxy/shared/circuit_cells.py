"""How a circuit's registers are packed into cells; the protocol is told in shared/circuits.py.

    word:   | generation 16 | epoch 40 | level 6 | state 2 |
    run:    | tag 16 | failures 16 | successes of the node at the last one, 32 |
    others: | tag 16 | a 24 | b 24 |

The tag tells epoch and owner of a row apart from the 65,535 before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gproxy.core.breaker import Circuit, State
from gproxy.shared.layout import BREAKER_SINCE

GENERATION: Final = (1 << 16) - 1
EPOCH: Final = (1 << 40) - 1
LEVEL: Final = (1 << 6) - 1
PART: Final = (1 << 24) - 1
#: A run counts this far: more failures in a row than any breaker waits for.
MOST_RUN: Final = (1 << 16) - 1
SUCCESSES: Final = (1 << 32) - 1

_STATES: Final = tuple(State)
_START: Final = Circuit()


def word(generation: int, circuit: Circuit) -> int:
    """Return the cell that says so."""
    return (generation & GENERATION) << 48 | (circuit.epoch & EPOCH) << 8 | circuit.level << 2 | circuit.state


def same_epoch(word: int, other: int) -> bool:
    """Say whether two words are about the same move, whatever it led to."""
    return word >> 8 == other >> 8


def since_cell(epoch: int) -> int:
    """Return the offset of the cell that holds when an epoch began."""
    return BREAKER_SINCE + (epoch & 1)


def newest(cells: memoryview, bases: Sequence[int], generation: int) -> tuple[int, Circuit, int]:
    """Return the greatest word of a generation, what it means, and the base of the first slot that has it.

    Without any the circuit has not moved yet: closed, with word 0 and base -1.
    """
    best, place, generation = 0, -1, generation & GENERATION
    for base in bases:
        found = cells[base]
        if found > best and found >> 48 == generation:
            best, place = found, base
    if place < 0:
        return 0, _START, -1
    epoch = best >> 8 & EPOCH
    circuit = Circuit(epoch, _STATES[best & 3], best >> 2 & LEVEL, cells[place + since_cell(epoch)])
    return best, circuit, place


def tag(generation: int, epoch: int) -> int:
    """Return the tag of an epoch's cells."""
    return generation * 40_503 + epoch & 0xFFFF


def pair(tag: int, first: int, second: int) -> int:
    """Return a cell of two counts of at most 24 bits."""
    return tag << 48 | first << 24 | second
