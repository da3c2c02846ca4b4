"""The answer to /metrics: the node in the text format of Prometheus, written by its own client library.

Everything comes from one look at the shared memory, so an object that was deleted has no series any more, and the
sum over workers never falls.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from gproxy.core.breaker import State
from gproxy.core.events import Thing
from gproxy.monitor.exposition_rows import RowFamilies, write
from gproxy.monitor.objects import Named
from gproxy.monitor.resources import resources
from gproxy.monitor.sampler import Sampler
from gproxy.monitor.stats import Now, not_ready_because
from gproxy.shared import circuits, layout
from gproxy.shared.filters import read as filter_counts
from gproxy.shared.health import HealthCells
from gproxy.shared.table import Table

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: Classes of outcomes of a slot, in the order of `layout.OUTCOMES`.
_CODE_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", "client_gone")
_WORKER_GAUGES: Final = (
    ("connections", "connections", "Open client connections."),
    ("active", "requests_in_flight", "Requests in flight."),
    ("revision", "snapshot_revision", "Revision of the configuration that it serves from."),
    ("lag", "event_loop_lag_seconds", "Longest delay of its loop in the last second."),
    ("heartbeat", "heartbeat_age_seconds", "Since it showed life."),
    ("memory", "resident_memory_bytes", "Resident memory of its process."),
)
#: Counters of workers, summed: name, cell, help.
_SLOT_COUNTERS: Final = (
    ("connections_accepted", layout.ACCEPTED, "Client connections."),
    ("connections_refused", layout.REFUSED_CONNECTIONS, "Client connections beyond the limit."),
    ("bad_requests", layout.BAD_REQUEST, "Requests that are not valid HTTP."),
    ("timeouts", layout.TIMEOUTS, "Answers 408 and 504."),
    ("upstream_connects", layout.UPSTREAM_CONNECTS, "Connections opened to servers."),
    ("upstream_reused", layout.UPSTREAM_REUSED, "Requests over connections that were open already."),
    ("upstream_resends", layout.RESENDS, "Requests sent again because such a connection had just been closed."),
    ("http2_connections", layout.HTTP2_CONNECTIONS, "Client connections that speak HTTP/2."),
    ("http2_abuse", layout.HTTP2_ABUSE, "Those of them that were ended because they only kept the gateway busy."),
    ("tunnels", layout.TUNNELS, "Connections that became tunnels (WebSocket and others)."),
    ("tls_handshakes", layout.HANDSHAKES, "TLS handshakes with clients."),
    ("tls_resumed", layout.RESUMED, "Those of them that took an earlier session up again."),
    ("tls_failed", layout.FAILED_HANDSHAKES, "TLS handshakes that failed."),
    ("log_lines_dropped", layout.LOG_DROPPED, "Lines of the access log that could not be written in time."),
    ("spans_dropped", layout.SPANS_DROPPED, "Spans of traces that the monitor did not take in time."),
)
#: Counters of limits that have acted on clients, by their names in /stats.
_LIMITS: Final = (
    *("refused_connections", "refused_per_ip", "refused_announcements", "slow_handshakes"),
    *("slow_heads", "large_heads", "slow_bodies", "large_bodies", "slow_readers"),
)


class Exposition:
    """Writes the answer; `breathe` is called between parts so that others get their turn."""

    def __init__(
        self,
        table: Table,
        sampler: Sampler,
        version: str,
        breathe: Callable[[], None],
        filters: Sequence[str] = (),
    ) -> None:
        self._table = table
        self._sampler = sampler
        self._version = version
        self._breathe = breathe
        self._filters = filters
        self._health = HealthCells(table)
        self._apis = RowFamilies(sampler.reader, "", "api")
        self._servers = RowFamilies(sampler.reader, "server_", "server")
        self._routings = RowFamilies(sampler.reader, "routing_", "routing")

    def text(self, now: Now) -> bytes:
        """Return the answer as it is now."""
        objects = list(self._sampler.objects.values())
        servers = [named for named in objects if named.thing is Thing.SERVER]
        guarded = [named for named in objects if named.has_breaker]
        metrics = [*self._node(now), *self._workers(now), self._up(servers), self._circuits(guarded)]
        metrics += self._own_filters()
        return b"".join(
            (
                write(metrics).encode("utf-8"),
                self._apis.text((named for named in objects if named.thing is Thing.API), self._breathe),
                self._servers.text(servers, self._breathe),
                self._routings.text((named for named in objects if named.thing is Thing.ROUTING), self._breathe),
            )
        )

    def _node(self, now: Now) -> Iterator[Metric]:
        cells, table = self._table.cells, self._table
        info = GaugeMetricFamily("gproxy_build_info", "The program; always 1.", labels=["version"])
        info.add_metric([self._version], 1)
        yield info
        gauges = (
            ("ready", "1 when /readyz says so.", not_ready_because(table) is None),
            ("drained", "1 when somebody has drained the node: it is to get no more traffic.", cells[layout.DRAINED]),
            ("snapshot_revision", "Revision of the configuration that was published last.", cells[layout.REVISION]),
            ("snapshot_age_seconds", "Since when.", _age_s(cells[layout.PUBLISHED_MS], now.wall_ms)),
            (
                "store_seen_age_seconds",
                "Since the store last answered.",
                _age_s(cells[layout.STORE_SEEN_MS], now.wall_ms),
            ),
            ("workers_wanted", "Workers that shall run.", cells[layout.WORKERS_WANTED]),
            ("fleet_nodes", "Nodes that follow the same store and count here.", cells[layout.FLEET_NODES]),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"gproxy_{name}", text, value)
        state = GaugeMetricFamily("gproxy_sync_state", "1 for the state that the sync process is in.", labels=["state"])
        for number, name in enumerate(layout.SYNC_STATE_NAMES):
            state.add_metric([name], number == cells[layout.SYNC_STATE])
        yield state
        counters = (
            ("worker_restarts", "Workers replaced because they died or hung.", cells[layout.WORKER_RESTARTS]),
            ("reloads", "Reloads of the settings.", cells[layout.GENERATION]),
            ("upgrades", "Programs that have taken over from an earlier one.", cells[layout.UPGRADES]),
            ("spans_exported", "Spans of traces that the collector has taken.", cells[layout.SPANS_EXPORTED]),
            ("spans_failed", "Spans of traces that it has not taken.", cells[layout.SPANS_FAILED]),
            ("configurations_rejected", "Configurations that were not valid.", cells[layout.SYNC_REJECTED]),
        )
        for name, text, value in counters:
            yield CounterMetricFamily(f"gproxy_{name}", text, value)
        answers = CounterMetricFamily(
            "gproxy_node_requests", "Requests that are over, those without an API included.", labels=["code_class"]
        )
        for name, cell in zip(_CODE_CLASSES, layout.OUTCOMES, strict=True):
            answers.add_metric([name], table.total(cell))
        yield answers
        for name, cell, text in _SLOT_COUNTERS:
            yield CounterMetricFamily(f"gproxy_{name}", text, table.total(cell))
        acted = CounterMetricFamily(
            "gproxy_limit_acted", "How often a limit of the settings has acted on a client.", labels=["limit"]
        )
        for name in _LIMITS:
            acted.add_metric([name], table.total(layout.COUNTER_NAMES[name]))
        yield acted

    def _workers(self, now: Now) -> Iterator[Metric]:
        table = self._table
        labels = ["worker"]
        gauges = {
            name: GaugeMetricFamily(f"gproxy_worker_{end}", text, labels=labels) for name, end, text in _WORKER_GAUGES
        }
        cpu = CounterMetricFamily("gproxy_worker_cpu_seconds", "User and system time of its process.", labels=labels)
        for slot in range(table.cells[layout.SLOTS_USED]):
            base = table.base(slot)
            cells = table.cells[base : base + layout.SLOT_CELLS].tolist()
            if cells[layout.STATE] == layout.STATE_FREE:
                continue
            values = {
                "connections": cells[layout.CONNECTIONS],
                "active": cells[layout.ACTIVE],
                "revision": cells[layout.RUNNING_REVISION],
                "lag": cells[layout.LOOP_LAG_US] / 1e6,
                "heartbeat": _age_s(cells[layout.HEARTBEAT], now.monotonic_ms),
            }
            used = resources(cells[layout.PID])
            if used is not None:
                cpu.add_metric([str(slot)], used.cpu_s)
                values["memory"] = used.memory_bytes
            for name, value in values.items():
                gauges[name].add_metric([str(slot)], value)
        yield from gauges.values()
        yield cpu

    def _own_filters(self) -> Iterator[Metric]:
        labels = ["filter"]
        counters = {
            "calls": CounterMetricFamily("gproxy_filter_calls", "Calls of hooks of a filter.", labels=labels),
            "errors": CounterMetricFamily("gproxy_filter_errors", "Calls that failed.", labels=labels),
            "seconds": CounterMetricFamily("gproxy_filter_seconds", "Time in it, waiting included.", labels=labels),
        }
        for place, name in enumerate(self._filters):
            counts = filter_counts(self._table, place, name)
            counters["calls"].add_metric([name], counts.calls)
            counters["errors"].add_metric([name], counts.errors)
            counters["seconds"].add_metric([name], counts.time_us / 1e6)
        return iter(counters.values() if self._filters else ())

    def _up(self, servers: Iterable[Named]) -> Metric:
        text = "1 when health checks find it well, 0 when down; absent without."
        up = GaugeMetricFamily("gproxy_server_up", text, labels=["server"])
        for named in servers:
            state = self._health.read(named.row).state
            if state != layout.HEALTH_UNKNOWN:
                up.add_metric([named.name], state == layout.HEALTH_UP)
        return up

    def _circuits(self, objects: Iterable[Named]) -> Metric:
        family = GaugeMetricFamily(
            "gproxy_circuit_state", "1 for the state that a circuit breaker is in.", labels=["object", "name", "state"]
        )
        for named in objects:
            now = circuits.read(self._table, named.row).state
            for state in State:
                family.add_metric([named.thing.name.lower(), named.name, state.name.lower()], state is now)
        return family


def _age_s(then_ms: int, now_ms: int) -> float:
    return max(0, now_ms - then_ms) / 1000 if then_ms else float("nan")
