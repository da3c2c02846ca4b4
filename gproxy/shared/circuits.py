"""Circuits of servers and APIs that all workers of a node share: one writer per cell, no lock, nobody in charge.

**A move is a word.** A worker that moves a circuit (core/breaker.py) writes one cell of its own: the generation of
the row, the epoch (how many moves the circuit has made), the level and the new state, most significant first. The
circuit *is* the greatest of these words over all slots: everybody who reads them comes to the same result. Words stay
when a worker dies; its slot's next worker goes on from there. When the move was made stands in one of two cells, by
the parity of the epoch, written before the word: the pair can only be mixed up by a reader that sleeps through two
moves, and that one looks again anyway (below).

**Two workers at once.** A move is decided on the circuit of epoch e and written as e + 1. Two workers that trip at
the same moment write the same word, which is one move, with the time of the lower slot. One closes what another
one's probe reopens: the states are numbered so that the more careful wins. Then each looks for another word of the same
epoch: who sees a greater one, or an equal one in a lower slot, leaves it to that worker to tell the event. With
registers alone nobody can be sure to be the only one (their consensus number is 1): each may have looked before the
other wrote, so a move may be told twice, but not never. A move is known by row, generation and epoch, and a reader of
events shows it once.

**Noticing costs one comparison.** Each slot counts its moves, of all circuits, in one cell of a contiguous region.
A worker compares the bytes of that region with those it saw last: equal means that no circuit of the node has moved.
Unequal: every circuit reads its words again, when it is next used. The word is written before the count, so who
sees the count sees the word (x86 keeps the order of stores; elsewhere a late word is seen with the next failure, as
each result other than a plain success reads the words first). A slot whose count is 0 never took part and is left
out; each worker counts once at its start, so the others have it in their sums from its first request on.

**Sums.** Each worker counts what it saw in cells of its own; who decides adds up.
- *Failures in a row*: a run is stored with the node's number of successes at its last failure. A run whose number is
  still the present one has seen no success since, anywhere, so the runs with the present number add up to the failures
  since the last success: exact, without clocks, and a success costs one addition.
- *The window*: slices stamped with epoch and time (core/window.py). A dead worker's slices grow old like the others.
- *Half-open*: arrivals and admissions of this epoch. A request is counted as an arrival, then all are summed and it is
  admitted when that keeps the percentage. Workers that do this in the same microsecond may each take the same
  place, so at worst there is one too many per further worker; the next arrivals make up for it.
Cells of an earlier epoch or generation carry another tag and count nothing, so nothing has to be cleared at a move.
A worker whose store is still on its way when another reads (nanoseconds) may make that one decide one result later.

**A probe holds its place until it reports.** One that never does gives it back at its deadline: its own worker takes
it out of its admissions; if that worker hangs or died, the others see that the last deadline of its pending probes
has passed and no longer count them. A probe whose client left gives its place back at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gproxy.core.breaker import Breaker, Cause, Circuit, State
from gproxy.shared import layout
from gproxy.shared.circuit import SharedCircuit
from gproxy.shared.circuit_cells import newest
from gproxy.shared.table import Table


def now_us() -> int:
    """Return the monotonic clock in microseconds: the same clock in all processes of a machine."""
    return time.monotonic_ns() // 1000


@dataclass(frozen=True, slots=True)
class Move:
    """A circuit went from `before` to `after`. `figures` explain the `cause`, see FIGURES of core/breaker.py."""

    row: int
    before: Circuit
    after: Circuit
    cause: Cause
    figures: tuple[int, int, int]


class Circuits:
    """The circuits as one worker sees and moves them; `tell` gets each move that this worker made.

    `glance` changes whenever a circuit of the node may have moved: when the bytes of `moves` are not `seen` any more.
    """

    def __init__(self, table: Table, slot: int, tell: Callable[[Move], None]) -> None:
        self.table = table
        self.slot = slot
        self.glance = 0
        #: first breaker cell of row 0 in every slot that ever took part, lowest slot first
        self.firsts: tuple[int, ...] = ()
        self._tell = tell
        self.moves = table.moves()
        self.seen = b""
        self._circuits: dict[int, SharedCircuit] = {}
        self.announce()

    def refresh(self) -> int:
        """Return `glance` after looking whether anything has moved."""
        if self.moves.tobytes() != self.seen:
            self.seen = self.moves.tobytes()
            self.glance += 1
            slots = [slot for slot, moves in enumerate(memoryview(self.seen).cast("Q")) if moves]
            firsts = tuple(self.table.breaker_base(slot, 0) for slot in slots)
            if firsts != self.firsts:
                self.firsts = firsts
        return self.glance

    def announce(self) -> None:
        """Let all workers look at their circuits again."""
        self.moves[self.slot] += 1

    def told(self, row: int, before: Circuit, after: Circuit, cause: Cause, figures: tuple[int, int, int]) -> None:
        """Pass on a move that this worker has made."""
        self._tell(Move(row, before, after, cause, figures))

    def circuit(self, row: int, breaker: Breaker) -> SharedCircuit:
        """Return the circuit of a row; one that is new here moves by the rules of `breaker`."""
        circuit = self._circuits.get(row)
        if circuit is None or not circuit.is_of_present_owner():
            self.refresh()
            circuit = self._circuits[row] = SharedCircuit(self, row, breaker)
        return circuit

    def use(self, rules: Mapping[int, Breaker]) -> None:
        """Take over new rules by row, and let go of the circuits of other rows; what their cells say stays."""
        for row, circuit in list(self._circuits.items()):
            if row in rules:
                circuit.follow(rules[row])
            else:
                del self._circuits[row]


def read(table: Table, row: int) -> Circuit:
    """Return the circuit of a row as all workers see it; an open one stays so until its next request."""
    generation = table.cells[table.generation_cell(row)]
    bases = [table.breaker_base(slot, row) for slot in range(table.cells[layout.SLOTS_USED])]
    return newest(table.cells, bases, generation)[1]


def is_ejected(circuit: Circuit) -> bool:
    """Say whether the circuit keeps its server from full service."""
    return circuit.state is not State.CLOSED
