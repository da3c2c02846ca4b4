"""What this node tells others, and what it makes of their words: parts of shared limits, agreed open circuits.

Nothing here changes because the store is away: parts stay what they were, and agreements end by the clock.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gproxy.core.breaker import State
from gproxy.core.events import Event, FleetCause, Kind, Thing
from gproxy.core.fleet import Member, agreed_until, members, part, smoothed
from gproxy.shared import circuits, layout
from gproxy.shared.fleet import FleetCells
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from gproxy.store.nodes import Node, Registry
from gproxy.sync.fleet_memory import FleetMemory
from gproxy.sync.shared_rules import SharedRules, shared_rules

log = logging.getLogger(__name__)

#: How often to look at the others without having been told that there is news, and at most when there is.
LOOK_S: Final = 2.0
LOOK_AGAIN_S: Final = 0.2
#: How often the demand is measured, and over how long it is averaged.
MEASURE_S: Final = 1.0
AVERAGE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What a node tells others: demand by API, and for how long its circuits are open, by server."""

    demand: Mapping[str, float]
    open_us: Mapping[str, int]


class Fleet:
    """The fleet as the node `own` sees it. Times are monotonic seconds.

    Until the others can be heard, those in its `memory` count.
    """

    def __init__(self, table: Table, own: str, memory: FleetMemory) -> None:
        self._table = table
        self._own = own
        self._cells = FleetCells(table)
        self._ring = RingWriter(table, table.slots + layout.RING_SYNC)
        self._rules = SharedRules()
        self._lines: Sequence[bytes] = ()
        self._members: dict[str, Member[Node]] = {}
        self._demand: dict[str, float] = {}
        self._counted: dict[str, int] = {}
        self._measured_s = 0.0
        self._looked_s = float("-inf")
        self._has_news = False
        self._memory = memory
        self._remembered: list[Node] | None = memory.recall()

    def use(self, lines: Sequence[bytes]) -> None:
        """Follow a published configuration."""
        if lines is self._lines:
            return
        self._lines = lines
        before, self._rules = self._rules, shared_rules(lines)
        for name, limit in before.limits.items():
            if name not in self._rules.limits:
                self._cells.divide(limit.row, 0)
        for name, circuit in before.circuits.items():
            if name not in self._rules.circuits:
                self._cells.open(circuit.row, 0)
        self._looked_s = float("-inf")
        if self._remembered:
            self._divide(self._remembered)

    def facts(self, now_s: float) -> Facts:
        """Return what others should know of this node."""
        self._measure(now_s)
        now_us, opened = round(now_s * 1e6), {}
        for name, rule in self._rules.circuits.items():
            circuit = circuits.read(self._table, rule.row)
            if circuit.state is State.OPEN:
                left_us = circuit.since_us + min(rule.open_us << circuit.level, rule.max_open_us) - now_us
                if left_us > 0:
                    opened[name] = left_us
        return Facts({name: float(f"{rate:.3g}") for name, rate in self._demand.items()}, opened)

    def look(self, registry: Registry, now_s: float, has_news: bool) -> None:
        """Read what the others say and act on it, if it is time to. Raises StoreError."""
        self._has_news |= has_news
        if now_s - self._looked_s < (LOOK_AGAIN_S if self._has_news else LOOK_S):
            return
        self._looked_s, self._has_news = now_s, False
        before = set(self._members)
        self._members = members(self._members, registry.records(), now_s)
        self._remembered = None
        present = [member.record for member in self._members.values()]
        if self._rules.limits:
            self._memory.keep(present, now_s)
        self._table.cells[layout.FLEET_NODES] = len(set(self._members) | {self._own})
        if before and before != set(self._members):
            figures = (len(before), len(self._members), 0)
            self._ring.tell(Event(Kind.FLEET, FleetCause.NODES, figures=figures))
            log.info("other nodes came or went", extra={"nodes": len(self._members)})
        self._divide(present)

    def agree(self, now_s: float) -> None:
        """Give servers a rest that enough nodes say are open, and take it back when that is over."""
        now_us = round(now_s * 1e6)
        for name, rule in self._rules.circuits.items():
            until_us = [
                round(member.heard_s * 1e6) + 1000 * member.record.open_ms[name]
                for member in self._members.values()
                if name in member.record.open_ms
            ]
            standing = [until for until in until_us if until > now_us]
            agreed_us = round(agreed_until(standing, rule.quorum))
            was_us = self._cells.open_until_us(rule.row)
            self._cells.open(rule.row, agreed_us)
            if bool(agreed_us) != bool(was_us):
                self._tell(name, rule.row, bool(agreed_us), len(standing))

    def _tell(self, name: str, row: int, is_open: bool, say_so: int) -> None:
        cause = FleetCause.SERVER_OPEN if is_open else FleetCause.SERVER_CLOSED
        generation = self._table.cells[self._table.generation_cell(row)]
        figures = (say_so, len(self._members), 0)
        self._ring.tell(Event(Kind.FLEET, cause, Thing.SERVER, row, figures=figures, generation=generation))
        text = "a server is given a rest: other nodes have opened its circuit" if is_open else "that rest is over"
        log.warning(text, extra={"server": name, "say_so": say_so, "nodes": len(self._members)})

    def _divide(self, nodes: Sequence[Node]) -> None:
        """Take this node's part of each shared limit."""
        for name, rule in self._rules.limits.items():
            demands = {node.id: node.demand.get(name, 0.0) for node in nodes}
            demands.setdefault(self._own, self._demand.get(name, 0.0))
            self._cells.divide(rule.row, part(self._own, demands, rule.rate))

    def _measure(self, now_s: float) -> None:
        elapsed_s = now_s - self._measured_s
        if elapsed_s < MEASURE_S:
            return
        self._measured_s = now_s
        counted, demand = {}, {}
        for name, rule in self._rules.limits.items():
            counted[name] = sum(self._table.row_total(rule.row, cell) for cell in layout.ROW_OUTCOMES)
            if name in self._counted:
                seen = (counted[name] - self._counted[name]) / elapsed_s
                demand[name] = smoothed(self._demand.get(name, 0.0), seen, elapsed_s, AVERAGE_S)
        self._counted, self._demand = counted, demand
