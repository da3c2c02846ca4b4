"""What /stats tells of traffic: rates, times and totals of the node, its workers, servers, APIs and routing rules."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from gproxy.core.breaker import State
from gproxy.core.events import Thing
from gproxy.core.histogram import BUCKETS, percentiles_ms, sparse
from gproxy.monitor.history import Series
from gproxy.monitor.objects import Named
from gproxy.monitor.resources import resources
from gproxy.monitor.sampler import Sampler, requests
from gproxy.monitor.wanted import Wanted
from gproxy.shared import circuits, layout
from gproxy.shared.filters import read as filter_counts
from gproxy.shared.fleet import FleetCells
from gproxy.shared.health import HealthCells
from gproxy.shared.table import Table

#: Counters that only one kind of object has.
_OWN_COUNTERS: Final = {Thing.API: layout.API_COUNTER_NAMES, Thing.ROUTING: layout.ROUTING_COUNTER_NAMES}
#: The state of a server that needs nobody to look at it.
_WELL: Final = ("unknown", "up")


class Figures:
    """Tells the figures of one table; `breathe` is called between objects so that others get their turn."""

    def __init__(
        self, table: Table, sampler: Sampler, breathe: Callable[[], None], filters: Sequence[str] = ()
    ) -> None:
        self._table = table
        self._sampler = sampler
        self._breathe = breathe
        self._filters = filters
        self._fleet = FleetCells(table)
        self._health = HealthCells(table)

    def document(self, wanted: Wanted) -> dict[str, Any]:
        """Return the parts of /stats by key."""
        node = self._sampler.node
        return {
            "figures": _lately(node) | ({"buckets": node.buckets()} if wanted.buckets else {}),
            "history": _history(node, wanted) if wanted.history != "none" else None,
            "apis": list(self._objects(Thing.API, wanted)),
            "servers": list(self._objects(Thing.SERVER, wanted)),
            "routings": list(self._objects(Thing.ROUTING, wanted)),
            "filters": [self._filter(place, name) for place, name in enumerate(self._filters)],
        }

    def worker(self, slot: int, pid: int, wanted: Wanted) -> dict[str, Any]:
        """Return what is added to the entry of a worker."""
        table, base = self._table, self._table.slot_histogram_base(slot)
        found = resources(pid)
        series = self._sampler.workers.get(slot)
        return {
            "cpu_s": round(found.cpu_s, 2) if found else None,
            "memory_bytes": found.memory_bytes if found else None,
            "loop_lag_ms": table.cells[table.base(slot) + layout.LOOP_LAG_US] / 1000,
            **_told(series, table.cells[base : base + BUCKETS].tolist(), wanted),
        }

    def _filter(self, place: int, name: str) -> dict[str, Any]:
        counts = filter_counts(self._table, place, name)
        return {
            "name": name,
            "calls": counts.calls,
            "errors": counts.errors,
            "time_ms": round(counts.time_us / 1000, 3),
            "mean_us": round(counts.time_us / counts.calls, 1) if counts.calls else None,
            "workers_without": counts.workers_without,
        }

    def _objects(self, thing: Thing, wanted: Wanted) -> Iterator[dict[str, Any]]:
        if wanted.objects == "none" and not wanted.has_names:
            return
        for number, named in enumerate(sorted(self._sampler.objects.values(), key=lambda named: named.name)):
            if named.thing is thing and self._is_wanted(named, wanted):
                yield self._object(named, wanted)
            if number % 50 == 0:
                self._breathe()

    def _is_wanted(self, named: Named, wanted: Wanted) -> bool:
        if wanted.has_names:
            return named.name in wanted.names(named.thing)
        if wanted.objects == "all" or self._sampler.series(named.row) is not None:
            return True
        return self._circuit(named) not in (None, "closed") or (
            named.thing is Thing.SERVER and self._health_of(named) not in _WELL
        )

    def _object(self, named: Named, wanted: Wanted) -> dict[str, Any]:
        cells = self._sampler.cells(named.row)
        counts = self._sampler.reader.histogram(named.row) if requests(cells) else [0] * BUCKETS
        document = {
            "name": named.name,
            "requests": requests(cells),
            **{name: cells[cell] for name, cell in layout.ROW_COUNTER_NAMES.items()},
            "active": cells[layout.ROW_ACTIVE],
            "queued": cells[layout.ROW_QUEUED],
            "tunnels": cells[layout.ROW_TUNNELS],
            "circuit": self._circuit(named),
            **_told(self._sampler.series(named.row), counts, wanted),
        }
        if named.thing is Thing.SERVER:
            document["connections"] = cells[layout.ROW_CONNECTIONS]
            document["idle_connections"] = cells[layout.ROW_IDLE]
            document["health"] = self._health_of(named)
            document["open_elsewhere"] = self._fleet.is_open(named.row, circuits.now_us())
        elif named.thing is Thing.API and (part := self._fleet.part(named.row)):
            document["limit_part"] = round(part / layout.FLEET_WHOLE, 4)
        own = _OWN_COUNTERS.get(named.thing, {})
        return document | {name: cells[cell] for name, cell in own.items()}

    def _health_of(self, named: Named) -> str:
        return layout.HEALTH_NAMES[self._health.read(named.row).state]

    def _circuit(self, named: Named) -> str | None:
        if not named.has_breaker:
            return None
        return State(circuits.read(self._table, named.row).state).name.lower()


def _told(series: Series | None, counts: list[int], wanted: Wanted) -> dict[str, Any]:
    """Return what has a series and a histogram since the start; windows are None without a series."""
    lately = _lately(series) if series is not None else {"rates": None, "latency_ms": {}}
    document: dict[str, Any] = {
        "rates": lately["rates"],
        "latency_ms": {"start": percentiles_ms(counts), **lately["latency_ms"]},
    }
    if wanted.buckets:
        document["buckets"] = {"start": sparse(counts), **(series.buckets() if series is not None else {})}
    if wanted.history == "all":
        document["history"] = _history(series, wanted) if series is not None else None
    return document


def _history(series: Series, wanted: Wanted) -> dict[str, Any]:
    history: dict[str, Any] = series.history(wanted.seconds)
    if wanted.buckets:
        history |= {"number": series.number, "times": series.times(wanted.seconds)}
    return history


def _lately(series: Series) -> dict[str, Any]:
    return {"rates": series.rates(), "latency_ms": series.percentiles_ms(), "seconds": series.length}
