"""Which servers this worker passes over because the monitor found them down.

Looked at once per tick, and in earnest only when the generation cell says that there is news, when another snapshot
is in use, or when a verdict has become too old: a monitor that has died does not keep a server down for ever. The
request path reads `passed_over`, which is empty as long as all is well. A server that nothing is known of is usable.
"""

from __future__ import annotations

from time import monotonic

from gproxy.core.backends import Cluster, Server
from gproxy.core.snapshot import Snapshot
from gproxy.shared import layout
from gproxy.shared.health import HealthCells
from gproxy.shared.table import Table

#: How many servers a reason names.
_MOST_NAMED = 5
#: After a look at the news comes a pause of so many times its length: when thousands of servers go down one after the
#: other, following them must not take the worker's time.
_PAUSE = 20


class HealthView:
    """The health of the servers as one worker sees it.

    `passed_over` has the clusters in which a server is down, each with those that take the traffic instead: none when
    all are down, the backups included.
    """

    def __init__(self, table: Table) -> None:
        self.passed_over: dict[Cluster, tuple[Server, ...]] = {}
        self._cells = HealthCells(table)
        self._down: frozenset[int] = frozenset()
        self._generation = 0
        self._snapshot: Snapshot | None = None
        self._valid_until_s = float("inf")
        self._again_s = 0.0

    def look(self, snapshot: Snapshot | None) -> None:
        """Take over the news, if there are any, for the snapshot in use."""
        generation, began_s = self._cells.generation, monotonic()
        if snapshot is self._snapshot:
            has_news = generation != self._generation and began_s >= self._again_s
            if not has_news and began_s < self._valid_until_s:
                return
        self._generation, self._snapshot = generation, snapshot
        clusters = self._clusters_with_servers_down(snapshot) if snapshot is not None else {}
        self.passed_over = {cluster: cluster.without(self._down) for cluster in clusters}
        self._again_s = monotonic() + _PAUSE * (monotonic() - began_s)

    def is_down(self, server: Server) -> bool:
        """Say whether the monitor found a server down."""
        return server.row in self._down

    def reason(self, cluster: Cluster) -> str:
        """Return why a cluster has no server to offer."""
        down = [server.name for server in cluster.members if server.row in self._down]
        if cluster not in self.passed_over or not down:
            return f"cluster {cluster.name} has no usable server"
        names = ", ".join(down[:_MOST_NAMED]) + (", ..." if len(down) > _MOST_NAMED else "")
        return f"cluster {cluster.name} has no usable server: down by their health checks: {names}"

    def _clusters_with_servers_down(self, snapshot: Snapshot) -> dict[Cluster, None]:
        """Note the servers that are down, as far as the verdicts are about them and hold, and return their clusters."""
        now_s, until_s = monotonic(), float("inf")
        down: set[int] = set()
        clusters: dict[Cluster, None] = {}
        for row in self._cells.down_rows():
            verdict = self._cells.read(row)
            valid_until_s = verdict.valid_until_ms / 1000
            users = snapshot.clusters_of.get(row)
            if users is None or verdict.state != layout.HEALTH_DOWN or valid_until_s <= now_s:
                continue
            server = next(member for member in users[0].members if member.row == row)
            if server.identity == verdict.identity:
                until_s = min(until_s, valid_until_s)
                down.add(row)
                clusters |= dict.fromkeys(users)
        self._down, self._valid_until_s = frozenset(down), until_s
        return clusters
