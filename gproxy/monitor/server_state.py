"""Whether a server would get a request now, and what speaks against it: its health, its circuit, its limits."""

from __future__ import annotations

from typing import Any

from gproxy.core.backends import Cluster, Server
from gproxy.core.breaker import Breaker, State
from gproxy.core.limiter import Room
from gproxy.core.snapshot import Api, Snapshot
from gproxy.shared import circuits, layout
from gproxy.shared.fleet import FleetCells
from gproxy.shared.health import HealthCells
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table
from gproxy.worker.health import HealthView


class ServerStates:
    """The states at one moment, of the objects of one snapshot."""

    def __init__(self, table: Table, snapshot: Snapshot) -> None:
        self._table = table
        self._health = HealthCells(table)
        self._limits = Limits(table, 0)  # only looks
        self._fleet = FleetCells(table)
        self._view = HealthView(table)
        self._view.look(snapshot)

    def api(self, api: Api) -> dict[str, Any]:
        """Return the circuit and the requests in flight of an API."""
        return {"circuit": self._circuit(api.row, api.breaker), **self._places(api.row, api.room)}

    def server(self, cluster: Cluster, server: Server) -> dict[str, Any]:
        """Return the state of a server in a cluster; `against` has what keeps requests from it now."""
        circuit = self._circuit(server.row, server.breaker or cluster.breaker)
        places = self._places(server.row, server.room)
        against = []
        if server.is_draining:
            against.append("it drains: only sticky sessions go there")
        elif not server.is_up:
            against.append("its status is down")
        elif not server.weight:
            against.append("its weight is 0")
        if self._view.is_down(server):
            against.append("down by its health check")
        if circuit == State.OPEN.name.lower():
            against.append("its circuit is open")
        elif circuit == State.HALF_OPEN.name.lower():
            against.append("its circuit is half open: only a part of the requests gets through")
        breaker = server.breaker or cluster.breaker
        if breaker is not None and breaker.is_shared and self._fleet.is_open(server.row, circuits.now_us()):
            against.append("other nodes have opened its circuit")
        if server.room is not None and places["in_flight"] >= server.room.most:
            against.append("it has as many requests in flight as max_connections allows")
        if server.limit is not None and self._limits.peek(server.row, server.limit, None):
            against.append("its max_qps is used up")
        return {
            "name": server.name,
            "address": str(server.endpoint),
            "weight": server.weight,
            "backup": server.is_backup,
            "health": layout.HEALTH_NAMES[self._health.read(server.row).state],
            "circuit": circuit,
            **places,
            "max_qps": server.limit.rate if server.limit is not None else 0,
            "usable": not [reason for reason in against if "half open" not in reason],
            "against": against,
        }

    def _circuit(self, row: int, breaker: Breaker | None) -> str | None:
        return None if breaker is None else circuits.read(self._table, row).state.name.lower()

    def _places(self, row: int, room: Room | None) -> dict[str, int]:
        return {"in_flight": self._table.row_total(row, layout.ROW_ACTIVE), "most": room.most if room else 0}
