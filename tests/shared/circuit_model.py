"""What the shared circuit must be like: one process, one list of everything that happened, nothing clever.

It knows the table of moves and the sums that cause them (core/breaker.py) and nothing of cells, slots or stamps.
Workers matter in one rule only: each frees the places of its own probes at their deadlines, and does not count those
of another worker while all of them are overdue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from gproxy.core.breaker import Breaker, Cause, Circuit, Figures, State

SLICES = 16


@dataclass(eq=False, slots=True)
class Asked:
    """A request that a worker let through. `due_us` is 0 when it was no probe."""

    worker: int
    epoch: int
    due_us: int


@dataclass(slots=True)
class Model:
    """The circuit and its whole history."""

    breaker: Breaker
    circuit: Circuit = field(default_factory=Circuit)
    moves: list[Cause] = field(default_factory=list)
    in_a_row: int = 0
    results: list[tuple[int, bool, bool]] = field(default_factory=list)
    arrivals: int = 0
    admitted: int = 0
    succeeded: int = 0
    pending: list[Asked] = field(default_factory=list)
    last_due_us: dict[int, int] = field(default_factory=dict)

    def enter(self, worker: int, now_us: int, within_us: int) -> Asked | None:
        if self.circuit.state is State.OPEN and now_us >= self.circuit.half_opens_us(self.breaker):
            self.move(Cause.OPEN_TIME_OVER, now_us)
        if self.circuit.state is State.CLOSED:
            return Asked(worker, self.circuit.epoch, 0)
        if self.circuit.state is State.OPEN:
            return None
        for probe in [probe for probe in self.pending if probe.worker == worker and probe.due_us <= now_us]:
            self.left(probe)
        others = [probe for probe in self.pending if probe.worker != worker]
        hanging = sum(self.last_due_us[probe.worker] < now_us for probe in others)
        self.arrivals += 1
        if self.admitted - hanging >= ceil(self.arrivals * self.breaker.half_open_percent / 100):
            return None
        self.admitted += 1
        probe = Asked(worker, self.circuit.epoch, now_us + within_us)
        self.pending.append(probe)
        self.last_due_us[worker] = probe.due_us
        return probe

    def result(self, asked: Asked, is_good: bool, took_us: int, now_us: int) -> None:
        if is_good:
            self.in_a_row = 0
        if asked.epoch != self.circuit.epoch or self.circuit.state is State.OPEN:
            return
        is_slow = 0 < self.breaker.slow_us <= took_us
        if asked in self.pending:
            self.pending.remove(asked)
        if self.circuit.state is State.HALF_OPEN:
            self._probed(is_good, is_slow, now_us)
            return
        self.in_a_row += not is_good
        self.results.append((now_us, not is_good, is_slow))
        cause = self.breaker.trip(self.figures(now_us))
        if cause is not None:
            self.move(cause, now_us)

    def left(self, asked: Asked) -> None:
        if asked in self.pending:
            self.pending.remove(asked)
            self.admitted -= 1

    def figures(self, now_us: int) -> Figures:
        first = now_us * SLICES // self.breaker.window_us - SLICES + 1
        inside = [result for result in self.results if result[0] * SLICES // self.breaker.window_us >= first]
        return Figures(
            self.in_a_row, len(inside), sum(result[1] for result in inside), sum(result[2] for result in inside)
        )

    def move(self, cause: Cause, now_us: int) -> None:
        self.circuit = self.circuit.after(cause, self.breaker, now_us)
        self.moves.append(cause)
        self.in_a_row = self.arrivals = self.admitted = self.succeeded = 0
        self.results.clear()
        self.pending.clear()

    def _probed(self, is_good: bool, is_slow: bool, now_us: int) -> None:
        if not is_good or is_slow:
            self.move(Cause.PROBE_FAILED if not is_good else Cause.PROBE_SLOW, now_us)
            return
        self.succeeded += 1
        if self.succeeded >= self.breaker.half_open_successes:
            self.move(Cause.PROBES_SUCCEEDED, now_us)
