"""What /stats tells of traffic: rates, times and totals of the node, its workers, and each server and API."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from gproxy.core.breaker import State
from gproxy.core.events import Thing
from gproxy.core.histogram import BUCKETS
from gproxy.monitor.history import Series, percentiles_ms
from gproxy.monitor.objects import Named
from gproxy.monitor.resources import resources
from gproxy.monitor.sampler import Sampler, requests
from gproxy.shared import circuits, layout
from gproxy.shared.filters import read as filter_counts
from gproxy.shared.health import HealthCells
from gproxy.shared.table import Table

#: How much history /stats shows when it is not asked for another amount.
NODE: Final = "node"
#: `?history=`: none, that of the node, or that of workers and busy objects as well (some megabytes).
HISTORIES: Final = ("none", NODE, "all")


class Figures:
    """Tells the figures of one table; `breathe` is called between objects so that others get their turn."""

    def __init__(
        self, table: Table, sampler: Sampler, breathe: Callable[[], None], filters: Sequence[str] = ()
    ) -> None:
        self._table = table
        self._sampler = sampler
        self._breathe = breathe
        self._filters = filters
        self._health = HealthCells(table)

    def document(self, history: str) -> dict[str, Any]:
        """Return the parts of /stats by key; `history` is one of HISTORIES."""
        return {
            "figures": _lately(self._sampler.node),
            "history": self._sampler.node.history() if history != "none" else None,
            "apis": list(self._objects(Thing.API, history)),
            "servers": list(self._objects(Thing.SERVER, history)),
            "filters": [self._filter(place, name) for place, name in enumerate(self._filters)],
        }

    def worker(self, slot: int, pid: int, history: str) -> dict[str, Any]:
        """Return what is added to the entry of a worker."""
        table, base = self._table, self._table.slot_histogram_base(slot)
        found = resources(pid)
        series = self._sampler.workers.get(slot)
        return {
            "cpu_s": round(found.cpu_s, 2) if found else None,
            "memory_bytes": found.memory_bytes if found else None,
            "loop_lag_ms": table.cells[table.base(slot) + layout.LOOP_LAG_US] / 1000,
            **_told(series, table.cells[base : base + BUCKETS].tolist(), history),
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

    def _objects(self, thing: Thing, history: str) -> Iterator[dict[str, Any]]:
        for number, named in enumerate(sorted(self._sampler.objects.values(), key=lambda named: named.name)):
            if named.thing is thing:
                yield self._object(named, history)
            if number % 50 == 0:
                self._breathe()

    def _object(self, named: Named, history: str) -> dict[str, Any]:
        cells = self._sampler.cells(named.row)
        counts = self._sampler.reader.histogram(named.row) if requests(cells) else [0] * BUCKETS
        document = {
            "name": named.name,
            "requests": requests(cells),
            **{name: cells[cell] for name, cell in layout.ROW_COUNTER_NAMES.items()},
            "active": cells[layout.ROW_ACTIVE],
            "queued": cells[layout.ROW_QUEUED],
            "circuit": self._circuit(named),
            **_told(self._sampler.series(named.row), counts, history),
        }
        if named.thing is Thing.SERVER:
            verdict = self._health.read(named.row)
            document["idle_connections"] = cells[layout.ROW_IDLE]
            document["health"] = layout.HEALTH_NAMES[verdict.state]
        return document

    def _circuit(self, named: Named) -> str | None:
        if not named.has_breaker:
            return None
        return State(circuits.read(self._table, named.row).state).name.lower()


def _told(series: Series | None, counts: list[int], history: str) -> dict[str, Any]:
    """Return what has a series and a histogram since the start; windows are None without a series."""
    lately = _lately(series) if series is not None else {"rates": None, "latency_ms": {}}
    document: dict[str, Any] = {
        "rates": lately["rates"],
        "latency_ms": {"start": percentiles_ms(counts), **lately["latency_ms"]},
    }
    if history == "all":
        document["history"] = series.history() if series is not None else None
    return document


def _lately(series: Series) -> dict[str, Any]:
    return {"rates": series.rates(), "latency_ms": series.percentiles_ms(), "seconds": series.length}
