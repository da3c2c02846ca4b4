"""What the shared memory says about the node: its readiness, and its numbers as one JSON document.

Times in the document are ages in seconds, so that it means the same on a machine with another clock.
"""

from dataclasses import dataclass
from typing import Any, Final

from gproxy.shared import layout
from gproxy.shared.table import Table

#: The master writes its heartbeat at least once a second: without one for so long it stands still.
MASTER_SILENT_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class Now:
    """The two clocks of one reading: `monotonic_ms` for heartbeats, `wall_ms` (since 1970) for the rest."""

    monotonic_ms: int
    wall_ms: int


def not_alive_because(table: Table, now: Now) -> str | None:
    """Return why the node counts as dead, None if it lives."""
    silent_ms = now.monotonic_ms - table.cells[layout.MASTER_HEARTBEAT]
    if silent_ms > MASTER_SILENT_MS:
        return f"the master has stood still for {silent_ms // 1000} s"
    return None


def not_ready_because(table: Table) -> str | None:
    """Return why the node is not ready for traffic, None if it is.

    Ready means: as many workers as are wanted accept connections and run a snapshot, and nobody drains the node. An
    unreachable store does not matter as long as there is a snapshot.
    """
    cells = table.cells
    wanted = cells[layout.WORKERS_WANTED]
    if not wanted:
        return "stopping"
    if cells[layout.DRAINED]:
        return "drained"
    accepting = loaded = 0
    for slot in range(table.slots):
        base = table.base(slot)
        if cells[base + layout.STATE] == layout.STATE_ACCEPTING:
            accepting += 1
            loaded += cells[base + layout.VERSION] > 0
    if loaded >= wanted:
        return None
    if accepting < wanted:
        return f"{accepting} of {wanted} workers accept connections"
    if cells[layout.PUBLISHED]:
        return f"{loaded} of {wanted} workers have loaded the configuration"
    if cells[layout.SYNC_STATE] == layout.SYNC_NOTHING:
        return "no configuration: the store cannot be reached and there is no earlier snapshot"
    if cells[layout.SYNC_REJECTED]:
        return "no configuration: the one in the store is not valid, the log says why"
    return "no configuration yet: waiting for the store"


def document(table: Table, node: str, version: str, master_pid: int, now: Now) -> dict[str, Any]:
    """Return the answer to /stats; `version` is that of the program, `snapshot` counts published ones."""
    cells = table.cells
    workers = [_worker(table, slot, now) for slot in range(table.slots) if cells[table.base(slot) + layout.STATE]]
    return {
        "node": node,
        "version": version,
        "pid": master_pid,
        "ready": not_ready_because(table) is None,
        "not_ready_because": not_ready_because(table),
        "drained": bool(cells[layout.DRAINED]),
        "reloads": cells[layout.GENERATION],
        "upgrades": cells[layout.UPGRADES],
        "workers_wanted": cells[layout.WORKERS_WANTED],
        "worker_restarts": cells[layout.WORKER_RESTARTS],
        "revision": cells[layout.REVISION],
        "snapshot": cells[layout.PUBLISHED],
        "snapshot_age_s": _age_s(cells[layout.PUBLISHED_MS], now.wall_ms),
        "nodes": cells[layout.FLEET_NODES],
        "sync": {
            "pid": cells[layout.SYNC_PID],
            "state": _name(layout.SYNC_STATE_NAMES, cells[layout.SYNC_STATE]),
            "rejected": cells[layout.SYNC_REJECTED],
            "store_seen_age_s": _age_s(cells[layout.STORE_SEEN_MS], now.wall_ms),
            "heartbeat_age_s": _age_s(cells[layout.SYNC_HEARTBEAT], now.monotonic_ms),
        },
        "workers": workers,
        "totals": {
            "connections": table.total(layout.CONNECTIONS),
            "active": table.total(layout.ACTIVE),
            "requests": sum(table.total(cell) for cell in layout.OUTCOMES),
            **{name: table.total(cell) for name, cell in layout.COUNTER_NAMES.items()},
        },
    }


def _worker(table: Table, slot: int, now: Now) -> dict[str, Any]:
    base = table.base(slot)
    row = table.cells[base : base + layout.SLOT_CELLS].tolist()
    return {
        "slot": slot,
        "pid": row[layout.PID],
        "state": _name(layout.STATE_NAMES, row[layout.STATE]),
        "heartbeat_age_s": _age_s(row[layout.HEARTBEAT], now.monotonic_ms),
        "snapshot": row[layout.VERSION],
        "revision": row[layout.RUNNING_REVISION],
        "connections": row[layout.CONNECTIONS],
        "active": row[layout.ACTIVE],
        "requests": sum(row[cell] for cell in layout.OUTCOMES),
        **{name: row[cell] for name, cell in layout.COUNTER_NAMES.items()},
    }


def _age_s(then_ms: int, now_ms: int) -> float | None:
    """Return the age of a moment, None when it has not been; never negative, clocks can be set back."""
    return max(0, now_ms - then_ms) / 1000 if then_ms else None


def _name(names: tuple[str, ...], value: int) -> str:
    return names[value] if value < len(names) else str(value)
