"""One circuit as one worker sees it and moves it, in the cells described in shared/circuits.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.core import window
from gproxy.core.breaker import Breaker, Cause, Circuit, Figures, State

# Used for every request: a name of the module is found faster than one of another module.
from gproxy.core.window import REQUESTS
from gproxy.shared import circuit_cells, layout
from gproxy.shared.circuit_cells import MOST_RUN, PART, SUCCESSES, pair

if TYPE_CHECKING:
    from gproxy.shared.circuits import Circuits


class Trial:
    """A request that a circuit has let through and waits to hear of: call one of its methods, once.

    `due_us` is when a probe loses its place in a half-open circuit, 0 when it is no probe. Times are monotonic
    microseconds; `took_us` is how long the server took to answer.
    """

    __slots__ = ("circuit", "due_us", "epoch")

    def __init__(self, circuit: SharedCircuit, epoch: int, due_us: int) -> None:
        self.circuit = circuit
        self.epoch = epoch
        self.due_us = due_us

    def succeeded(self, took_us: int, now_us: int) -> None:
        """The server has done what it was asked for."""
        self.circuit.succeeded(self, took_us, now_us)

    def failed(self, took_us: int, now_us: int) -> None:
        """The server failed."""
        self.circuit.failed(self, took_us, now_us)

    def abandoned(self) -> None:
        """It ended in a way that says nothing about the server."""
        self.circuit.abandoned(self)

    def is_failure(self, status: int) -> bool:
        """Say whether an answer with this status counts as a failure."""
        return status in self.circuit.breaker.failure_statuses


class SharedCircuit:
    """The circuit of one row. `breaker` are its rules, see `follow`."""

    __slots__ = (
        "_admitted", "_arrivals", "_base", "_bases", "_cells", "_circuit", "_circuits", "_counts", "_earlier",
        "_epoch", "_firsts", "_generation", "_glance", "_if_closed", "_pending", "_plain", "_settled", "_slice",
        "_slice_base", "_slice_ends_us", "_stamp", "_succeeded", "_success_cell", "_successes", "_summed", "_tag",
        "_word", "breaker", "row", "state",
    )  # fmt: skip

    def __init__(self, circuits: Circuits, row: int, breaker: Breaker) -> None:
        table = circuits.table
        self.breaker = breaker
        self.row = row
        self.state = State.CLOSED
        self._circuits = circuits
        self._cells = cells = table.cells
        self._base = base = table.breaker_base(circuits.slot, row)
        self._generation = cells[table.generation_cell(row)]
        self._firsts: tuple[int, ...] = ()
        self._bases: list[int] = []
        self._glance = 0
        self._word, self._circuit = -1, Circuit()
        self._epoch = self._tag = 0
        self._plain: Trial = Trial(self, 0, 0)
        self._if_closed: Trial | None = None
        # Own counts, as this worker or the one before in its slot has left them in the cells.
        self._success_cell = base + layout.BREAKER_SUCCESSES
        self._successes = cells[self._success_cell]
        self._slice = self._settled = self._summed = -1
        self._slice_ends_us = self._slice_base = self._stamp = 0
        self._earlier = (0, 0, 0)
        self._counts = [0, 0, 0]
        self._arrivals = self._admitted = self._succeeded = 0
        self._pending: dict[Trial, None] = {}
        self._read()

    def follow(self, breaker: Breaker) -> None:
        """Move by other rules from now on; slices of the window may be of another length."""
        self.breaker = breaker
        self._slice_ends_us = 0

    def is_of_present_owner(self) -> bool:
        """Say whether the row still belongs to the server or API that this is the circuit of."""
        return self._cells[self._circuits.table.generation_cell(self.row)] == self._generation

    # -- what it is --------------------------------------------------------------------------------------------

    def look(self) -> Circuit:
        """Return the circuit as it is now on this node."""
        if self._circuits.refresh() != self._glance:
            self._read()
        return self._circuit

    def half_opens_us(self) -> int:
        """Return when an open circuit, as last looked at, lets a probe through."""
        return self._circuit.half_opens_us(self.breaker)

    def _read(self) -> None:
        """Read the words of all slots."""
        circuits = self._circuits
        self._glance = circuits.glance
        if self._firsts is not circuits.firsts:
            self._firsts = circuits.firsts
            self._bases = [first + self.row * layout.BREAKER_CELLS for first in circuits.firsts]
        word, circuit, _ = circuit_cells.newest(self._cells, self._bases, self._generation)
        if word != self._word:
            self._word = word
            self._circuit = circuit
            self.state = circuit.state
            self._epoch = circuit.epoch
            self._plain = Trial(self, circuit.epoch, 0)
            self._if_closed = self._plain if circuit.state is State.CLOSED else None
            self._tag = circuit_cells.tag(self._generation, circuit.epoch)
            self._settled = self._slice = self._summed = -1
            self._slice_ends_us = 0
            self._begin_probing()

    def _begin_probing(self) -> None:
        """Count the probes of a new epoch from zero, or from where a dead worker left this slot's counts."""
        self._arrivals = self._admitted = self._succeeded = 0
        self._pending.clear()
        arrivals, probes = self._cells[self._base + layout.BREAKER_ARRIVALS], self._probes_cell(self._base)
        if arrivals >> 48 == self._tag:
            self._arrivals, self._admitted = arrivals >> 24 & PART, arrivals & PART
        if probes >> 48 == self._tag:
            self._succeeded = probes >> 24 & PART
            self._admitted = max(0, self._admitted - (probes & PART))
            self._write_probes()
            self._write_arrivals()

    # -- a request -------------------------------------------------------------------------------------------

    def enter_closed(self) -> Trial | None:
        """Let a request through if the circuit is closed; else `enter` has to decide. Such trials are all the same."""
        circuits = self._circuits
        if circuits.moves.tobytes() != circuits.seen:
            circuits.refresh()  # it looks as well, but calling it each time would cost as much again
        if circuits.glance != self._glance:
            self._read()
        return self._if_closed

    def enter(self, now_us: int, within_us: int) -> Trial | None:
        """Ask for a request to be let through; None: it must not. A probe has `within_us` to report."""
        trial = self.enter_closed()
        if trial is not None:
            return trial
        if self.state is State.OPEN:
            if now_us < self.half_opens_us():
                return None
            pause_ms = self.breaker.pause_us(self._circuit.level) // 1000
            self._move(Cause.OPEN_TIME_OVER, (pause_ms, 0, 0), now_us)
            return self.enter(now_us, within_us) if self.state is not State.OPEN else None
        return self._probe(now_us, within_us)

    def _probe(self, now_us: int, within_us: int) -> Trial | None:
        cells, tag = self._cells, self._tag
        self._take_back_places(now_us)
        self._arrivals += 1
        self._write_arrivals()
        arrivals = admitted = 0
        for base in self._bases:
            cell = cells[base + layout.BREAKER_ARRIVALS]
            if cell >> 48 != tag:
                continue
            arrivals += cell >> 24 & PART
            admitted += cell & PART
            probes = self._probes_cell(base)
            if probes & PART and probes >> 48 == tag and now_us > cells[base + layout.BREAKER_PROBES_DUE]:
                admitted -= probes & PART
        if not self.breaker.admits(arrivals, admitted):
            return None
        trial = Trial(self, self._epoch, now_us + within_us)
        last = self._base + layout.BREAKER_PROBES_DUE
        cells[last] = max(trial.due_us, cells[last]) if self._pending else trial.due_us
        self._pending[trial] = None
        self._write_probes()
        self._admitted += 1
        self._write_arrivals()
        return trial

    def _take_back_places(self, now_us: int) -> None:
        """Free the places of probes that should have reported, the oldest first."""
        pending = self._pending
        while pending:
            first = next(iter(pending))
            if first.due_us > now_us:
                return
            self._leave(first)
            self._admitted -= 1

    def _leave(self, trial: Trial) -> None:
        del self._pending[trial]
        self._write_probes()

    def _write_arrivals(self) -> None:
        self._cells[self._base + layout.BREAKER_ARRIVALS] = pair(self._tag, self._arrivals, self._admitted)

    def _write_probes(self) -> None:
        self._cells[self._base + layout.BREAKER_PROBES] = pair(self._tag, self._succeeded, len(self._pending))

    def _probes_cell(self, base: int) -> int:
        cell: int = self._cells[base + layout.BREAKER_PROBES]
        return cell

    # -- its result ------------------------------------------------------------------------------------------

    def succeeded_in_passing(self, trial: Trial, took_us: float, now_us: float) -> bool:
        """Take good news that can change nothing: of a closed circuit, in a slice that is judged and goes on.

        It is what `succeeded` would do. False: that has to be asked, nothing was done.
        """
        if trial is not self._plain or now_us >= self._slice_ends_us or self._slice != self._settled:
            return False
        if 0 < self.breaker.slow_us <= took_us:
            return False
        cells, counts = self._cells, self._counts
        self._successes = cells[self._success_cell] = self._successes + 1
        counts[REQUESTS] = count = counts[REQUESTS] + 1
        cells[self._slice_base + REQUESTS] = self._stamp | count
        return True

    def succeeded(self, trial: Trial, took_us: int, now_us: int) -> None:
        """Take the good news of a trial; they may have come too late to be good (slow)."""
        self._successes = successes = self._successes + 1
        self._cells[self._success_cell] = successes
        breaker = self.breaker
        if trial.due_us:
            self._probe_succeeded(trial, took_us, now_us)
        elif breaker.has_window and self.state is State.CLOSED and trial.epoch == self._epoch:
            # As last looked at: what is counted in an epoch that is over counts nowhere.
            self._count(REQUESTS, now_us)
            is_slow = 0 < breaker.slow_us <= took_us
            if is_slow:
                self._count(window.SLOW, now_us)
            if is_slow or self._slice != self._settled:
                self._judge(now_us)

    def _probe_succeeded(self, trial: Trial, took_us: int, now_us: int) -> None:
        breaker = self.breaker
        if not self._is_current(trial):
            return
        if 0 < breaker.slow_us <= took_us:
            self._move(Cause.PROBE_SLOW, (took_us // 1000, *self._probed()), now_us)
            return
        self._succeeded += 1
        self._write_probes()
        needed, done = breaker.half_open_successes, self._probe_successes()
        if done >= needed:
            self._move(Cause.PROBES_SUCCEEDED, (done, *self._probed()), now_us)

    def failed(self, trial: Trial, took_us: int, now_us: int) -> None:
        """Take the bad news of a trial."""
        if not self._is_current(trial):
            return
        if self.state is not State.CLOSED:
            self._move(Cause.PROBE_FAILED, (took_us // 1000, *self._probed()), now_us)
            return
        if self.breaker.has_window:
            self._count(REQUESTS, now_us)
            self._count(window.FAILURES, now_us)
            if 0 < self.breaker.slow_us <= took_us:
                self._count(window.SLOW, now_us)
        self._lengthen_run()
        self._judge(now_us)

    def abandoned(self, trial: Trial) -> None:
        """Take no news: a probe gives its place back."""
        if trial.due_us and self._is_current(trial, takes_back=True):
            self._write_arrivals()

    def _is_current(self, trial: Trial, takes_back: bool = False) -> bool:
        """Say whether a result is about the circuit as it is now; a probe that reports leaves its place."""
        self._circuits.refresh()
        self._read()
        if trial.epoch != self._epoch or self.state is State.OPEN:
            return False
        if trial in self._pending:
            self._leave(trial)
            self._admitted -= takes_back
        return True

    def _lengthen_run(self) -> None:
        """Add one to this worker's failures in a row, or begin a new row if anybody had a success since."""
        cell = self._base + layout.BREAKER_RUN
        present = self._tag << 48 | self._node_successes()
        run = self._cells[cell]
        failures = run >> 32 & MOST_RUN if run & ~(MOST_RUN << 32) == present else 0
        self._cells[cell] = present | min(failures + 1, MOST_RUN) << 32

    def _count(self, kind: int, now_us: int) -> None:
        """Add one to a kind of results in the present slice of this worker's window."""
        if now_us >= self._slice_ends_us:
            self._begin_slice(now_us)
        self._counts[kind] = count = self._counts[kind] + 1
        self._cells[self._slice_base + kind] = self._stamp | count

    def _begin_slice(self, now_us: int) -> None:
        window_us = self.breaker.window_us
        self._slice = number = window.number(now_us, window_us)
        self._slice_ends_us = window.end_us(number, window_us)
        self._stamp = window.stamp(self._tag, number)
        self._slice_base = first = self._base + layout.BREAKER_WINDOW + window.place(number)
        found = [cell ^ self._stamp for cell in self._cells[first : first + window.KINDS]]
        self._counts = [count if count <= window.COUNT else 0 for count in found]

    def _judge(self, now_us: int) -> None:
        """Open the circuit if what all workers have seen calls for it."""
        figures = self._figures(now_us)
        if figures.requests >= self.breaker.min_requests:
            self._settled = self._slice  # more plain successes in this slice cannot make it worse
        cause = self.breaker.trip(figures)
        if cause is Cause.CONSECUTIVE_FAILURES:
            self._move(cause, (figures.in_a_row, figures.failures, figures.requests), now_us)
        elif cause is not None:
            share = figures.slow if cause is Cause.SLOW_PERCENT else figures.failures
            self._move(cause, (share, figures.requests, figures.in_a_row), now_us)

    # -- sums over all workers -------------------------------------------------------------------------------

    def _node_successes(self) -> int:
        successes: int = sum([self._cells[base + layout.BREAKER_SUCCESSES] for base in self._bases])
        return successes & SUCCESSES

    def _figures(self, now_us: int) -> Figures:
        cells = self._cells
        present, in_a_row = self._tag << 48 | self._node_successes(), 0
        for base in self._bases:
            run = cells[base + layout.BREAKER_RUN]
            if run & ~(MOST_RUN << 32) == present:
                in_a_row += run >> 32 & MOST_RUN
        if not self.breaker.has_window:
            return Figures(in_a_row)
        number = window.number(now_us, self.breaker.window_us)
        if number != self._summed:  # the past is added up once per slice
            self._summed = number
            self._earlier = self._earlier_sums(window.stamps_before(self._tag, number))
        stamp, place = window.stamp(self._tag, number), layout.BREAKER_WINDOW + window.place(number)
        totals = list(self._earlier)
        for base in self._bases:
            for kind in range(window.KINDS):
                count = cells[base + place + kind] ^ stamp
                if count <= window.COUNT:
                    totals[kind] += count
        return Figures(in_a_row, *totals)

    def _earlier_sums(self, counting: list[int]) -> tuple[int, int, int]:
        requests = failures = slow = 0
        for base in self._bases:
            first = base + layout.BREAKER_WINDOW
            of_slot = window.sums(self._cells[first : first + window.CELLS].tolist(), counting)
            requests, failures, slow = requests + of_slot[0], failures + of_slot[1], slow + of_slot[2]
        return requests, failures, slow

    def _probe_successes(self) -> int:
        cells = (self._probes_cell(base) for base in self._bases)
        return sum(cell >> 24 & PART for cell in cells if cell >> 48 == self._tag)

    def _probed(self) -> tuple[int, int]:
        """Return how many were let through in this epoch, and of how many."""
        cells = [self._cells[base + layout.BREAKER_ARRIVALS] for base in self._bases]
        mine = [cell for cell in cells if cell >> 48 == self._tag]
        return sum(cell & PART for cell in mine), sum(cell >> 24 & PART for cell in mine)

    # -- a move ----------------------------------------------------------------------------------------------

    def _move(self, cause: Cause, figures: tuple[int, int, int], now_us: int) -> None:
        """Move the circuit, unless somebody else has just done so; tell the move unless that is another one's part."""
        decided_on = self._word
        before = self.look()
        if self._word != decided_on:
            return
        after = before.after(cause, self.breaker, now_us)
        self._cells[self._base + circuit_cells.since_cell(after.epoch)] = now_us
        self._cells[self._base + layout.BREAKER_WORD] = mine = circuit_cells.word(self._generation, after)
        self._circuits.announce()
        self._circuits.refresh()
        self._read()
        if not self._is_made_by_another(mine):
            self._circuits.told(self.row, before, after, cause, figures)

    def _is_made_by_another(self, mine: int) -> bool:
        """Say whether another slot has made the move of this word too and is the one whose word counts."""
        words = ((self._cells[base + layout.BREAKER_WORD], base) for base in self._bases)
        return any(
            circuit_cells.same_epoch(word, mine) and (word > mine or (word == mine and base < self._base))
            for word, base in words
        )
