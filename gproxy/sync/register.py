"""Registers the node with its store: at its start, whenever its workers run something else, and now and then."""

import contextlib
import os
import socket
from typing import Final

import gproxy
from gproxy.core.inspection import key_of
from gproxy.role import Context
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import StoreError
from gproxy.store.nodes import TTL_S, Node, Registry, RunningWorker, now_ms
from gproxy.sync.complaint import Complaint
from gproxy.sync.fleet import Facts
from gproxy.sync.identity import control_address, node_id, public_addresses

#: How often a record is renewed: twice may fail before the node is missed.
RENEW_S: Final = TTL_S / 3
#: While workers come to a revision one after the other, how often to tell which ones have.
UNSETTLED_S: Final = 0.5

NO_FACTS: Final = Facts({}, {})


class Registrar:
    """Keeps the record of this node in a registry up to date."""

    def __init__(self, context: Context) -> None:
        self._settings = context.settings
        self._table = context.table
        self._pid = context.master_pid
        self._host = socket.gethostname()
        self._addresses = tuple(public_addresses(context.settings, context.addresses))
        self._inspection_key = key_of(context.table.cells[layout.HEADER_SECRET])
        self._started_ms = now_ms()
        self.id = node_id(context.settings.node.id, context.settings.gproxy.run_dir)
        self._told: object = None
        self._told_s = float("-inf")
        self._next_s = 0.0
        self._trouble = Complaint("cannot register the node with the store")

    def tell(self, registry: Registry, now_s: float, facts: Facts = NO_FACTS) -> None:
        """Announce the node if there is news of its workers or circuits, or if it is time to."""
        news = self._news(), frozenset(facts.open_us)
        if self._trouble.wait_s(now_s) or (news == self._told and now_s < self._next_s):
            return
        node = self._node(facts)
        if node.behind(node.revision) and now_s < self._told_s + UNSETTLED_S:
            return
        try:
            registry.announce(node)
        except StoreError as error:
            self._trouble.raise_(str(error), now_s)
            return
        self._trouble.settle(now_s)
        self._told, self._told_s = news, now_s
        self._next_s = now_s + RENEW_S

    def leave(self, registry: Registry) -> None:
        """Say that the node stops, unless only this process does, or another program goes on as this node."""
        if self._table.cells[layout.WORKERS_WANTED] and os.getppid() == self._pid:
            return
        with contextlib.suppress(StoreError):  # its record ends by itself
            mine = [node for node in registry.nodes() if node.id == self.id and node.pid == self._pid]
            if mine:
                registry.announce(mine[0].left())

    def _news(self) -> object:
        cells = self._table.cells
        return cells[layout.REVISION], cells[layout.CONTROL_PORT], running(self._table)

    def _node(self, facts: Facts) -> Node:
        cells = self._table.cells
        return Node(
            id=self.id,
            control=control_address(self._settings, cells[layout.CONTROL_PORT]),
            host=self._host,
            pid=self._pid,
            version=gproxy.__version__,
            started_ms=self._started_ms,
            written_ms=now_ms(),
            revision=cells[layout.REVISION],
            workers=running(self._table),
            demand=facts.demand,
            open_ms={name: left_us // 1000 for name, left_us in facts.open_us.items()},
            addresses=self._addresses,
            inspection_key=self._inspection_key,
        )


def running(table: Table) -> tuple[RunningWorker, ...]:
    """Return what each worker of the node runs."""
    cells, found = table.cells, []
    for slot in range(cells[layout.SLOTS_USED]):
        base = table.base(slot)
        state = cells[base + layout.STATE]
        if state != layout.STATE_FREE:
            pid, revision = cells[base + layout.PID], cells[base + layout.RUNNING_REVISION]
            found.append(RunningWorker(slot, pid, layout.STATE_NAMES[state], revision))
    return tuple(found)
