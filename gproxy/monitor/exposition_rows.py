"""The metrics of servers, APIs and rules: thousands of lines, of which only the numbers change between two scrapes.

The client library takes 6 us to write a line. So it writes the lines once, for an object that does not exist, and the
name of each real one: what is a name, a label and an escape is its work. A scrape only puts name and numbers in place,
and that only for objects of which anything has changed since the scrape before.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gproxy.core.histogram import Limits, total_us
from gproxy.monitor.objects import Named
from gproxy.monitor.rows import RowReader
from gproxy.shared import layout

#: Limits of the buckets that are told, in milliseconds.
_LIMITS_MS: Final = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
_LIMITS: Final = Limits(int(ms * 1000) for ms in _LIMITS_MS)
_LE: Final = [*(repr(ms / 1000) for ms in _LIMITS_MS), "+Inf"]

_CODE_CLASSES: Final = ("unanswered", "1xx", "2xx", "3xx", "4xx", "5xx", "client_gone")
#: End of the name, cell, help.
_COUNTERS: Final = (
    ("failures", layout.ROW_FAILURES, "Requests that failed here, whatever the client saw."),
    ("retries", layout.ROW_RETRIES, "Attempts that were followed by another one."),
    ("rejected", layout.ROW_REJECTED, "Requests turned away by a limit or an open circuit breaker."),
    ("request_bytes", layout.ROW_BYTES_IN, "Bytes of request bodies."),
    ("response_bytes", layout.ROW_BYTES_OUT, "Bytes of responses."),
)
_API_COUNTERS: Final = (
    *_COUNTERS,
    ("denied", layout.ROW_DENIED, "Requests refused for the address of their client."),
    ("unauthorized", layout.ROW_UNAUTHORIZED, "Requests refused for want of a good key or token."),
    ("invalid", layout.ROW_INVALID, "Requests refused because they are not what the API demands."),
    ("cache_hits", layout.ROW_CACHE_HITS, "Requests answered with a stored answer."),
    ("cache_misses", layout.ROW_CACHE_MISSES, "Requests forwarded because no stored answer would do."),
    ("cache_stale", layout.ROW_CACHE_STALE, "Requests answered with a stale answer because the server failed."),
    ("cache_revalidated", layout.ROW_CACHE_REVALIDATED, "Stored answers that their server has confirmed."),
    ("cache_stored", layout.ROW_CACHE_STORED, "Answers stored."),
    ("cache_evicted_bytes", layout.ROW_CACHE_EVICTED_BYTES, "Bytes of stored answers overwritten by others."),
)
_ROUTING_COUNTERS: Final = (
    *_COUNTERS,
    ("compared", layout.ROW_COMPARED, "Copies whose answer was compared with that of the original."),
    ("differed", layout.ROW_DIFFERED, "Copies whose answer differed from that of the original."),
)
_COUNTERS_OF: Final = {"api": _API_COUNTERS, "routing": _ROUTING_COUNTERS}
_GAUGES: Final = (
    ("requests_in_flight", layout.ROW_ACTIVE, "Requests in flight."),
    ("requests_queued", layout.ROW_QUEUED, "Requests that wait for a place."),
)
_SERVER_GAUGES: Final = (
    *_GAUGES,
    ("connections", layout.ROW_CONNECTIONS, "Open connections."),
    ("idle_connections", layout.ROW_IDLE, "Open connections that wait in pools."),
)

#: A character that no name has, as the name of nobody.
_NOBODY: Final = "\ue000"

#: Makes the family of one object (its name is the argument) with any numbers; and takes the numbers from cells and
#: histogram, in the order of the lines.
Maker = Callable[[str], Metric]
Taker = Callable[[Sequence[int], Sequence[int]], tuple[Any, ...]]


class _Known(NamedTuple):
    """What was told of an object: its escaped name, the mark of its row then, its text of each family."""

    escaped: str
    mark: int
    texts: list[str]


class RowFamilies:
    """The families of servers, APIs or rules: `label` is "server", "api" or "routing", names begin with `prefix`."""

    def __init__(self, reader: RowReader, prefix: str, label: str) -> None:
        self._reader = reader
        self._families = list(_families(prefix, label))
        self._heads = [_head(make(_NOBODY)) for make, _ in self._families]
        self._patterns = [_places(make(_NOBODY)) for make, _ in self._families]
        self._known: dict[str, _Known] = {}

    def text(self, objects: Iterable[Named], breathe: Callable[[], None]) -> bytes:
        """Return the lines of these objects; what was known of others is forgotten."""
        known: dict[str, _Known] = {}
        for number, named in enumerate(objects, 1):
            before = self._known.get(named.name)
            mark = self._reader.mark(named.row)
            known[named.name] = before if before and before.mark == mark else self._tell(named, before, mark)
            if number % 20 == 0:
                breathe()
        self._known = known
        parts = []
        for place, head in enumerate(self._heads):
            parts.append(head)
            parts += [one.texts[place] for one in known.values()]
        return "".join(parts).encode("utf-8")

    def _tell(self, named: Named, before: _Known | None, mark: int) -> _Known:
        """Return the present lines of an object."""
        escaped = before.escaped if before else _escaped(named.name).replace("%", "%%")
        cells, counts = self._reader.cells(named.row), self._reader.histogram(named.row)
        texts = [
            pattern.replace(_NOBODY, escaped) % take(cells, counts)
            for pattern, (_, take) in zip(self._patterns, self._families, strict=True)
        ]
        return _Known(escaped, mark, texts)


def write(metrics: Iterable[Metric]) -> str:
    """Return the metrics in the text format."""
    return generate_latest(_Prepared(metrics)).decode("utf-8")


class _Prepared:
    """What `generate_latest` takes for a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _head(metric: Metric) -> str:
    return "".join(line + "\n" for line in write([metric]).splitlines() if line.startswith("#"))


def _places(metric: Metric) -> str:
    """Return the lines of a family with `%s` in place of each number."""
    lines = [line for line in write([metric]).splitlines() if not line.startswith("#")]
    return "".join(line.rpartition(" ")[0].replace("%", "%%") + " %s\n" for line in lines)


def _escaped(name: str) -> str:
    """Return a name as it stands between the quotes of a label."""
    (line,) = _places(_single(GaugeMetricFamily, "x", "", "x")(name)).splitlines()
    return line.removeprefix('x{x="').removesuffix('"} %s').replace("%%", "%")


def _families(prefix: str, label: str) -> Iterable[tuple[Maker, Taker]]:
    yield _outcomes(prefix, label), lambda cells, _: tuple(cells[cell] for cell in layout.ROW_OUTCOMES)
    yield _durations(prefix, label), _durations_of
    for end, cell, text in _COUNTERS_OF.get(label, _COUNTERS):
        yield _single(CounterMetricFamily, f"gproxy_{prefix}{end}", text, label), _one(cell)
    for end, cell, text in _SERVER_GAUGES if label == "server" else _GAUGES:
        yield _single(GaugeMetricFamily, f"gproxy_{prefix}{end}", text, label), _one(cell)


def _outcomes(prefix: str, label: str) -> Maker:
    def make(name: str) -> Metric:
        text = "Requests that are over, by class of status."
        family = CounterMetricFamily(f"gproxy_{prefix}requests", text, labels=[label, "code_class"])
        for code_class in _CODE_CLASSES:
            family.add_metric([name, code_class], 0)
        return family

    return make


def _durations(prefix: str, label: str) -> Maker:
    what = "Time of servers until the head of their response" if label == "server" else "Duration of exchanges"

    def make(name: str) -> Metric:
        text = f"{what}; limits and sum are exact to 3 %."
        family = HistogramMetricFamily(f"gproxy_{prefix}request_duration_seconds", text, labels=[label])
        family.add_metric([name], [(le, 0) for le in _LE], 0)
        return family

    return make


def _durations_of(_: Sequence[int], counts: Sequence[int]) -> tuple[Any, ...]:
    """Return the numbers of a histogram in the order of its lines: buckets, count, sum."""
    below = _LIMITS.below(counts)
    return *below, below[-1], total_us(counts) / 1e6


def _single(family: type[CounterMetricFamily | GaugeMetricFamily], name: str, text: str, label: str) -> Maker:
    def make(value: str) -> Metric:
        made = family(name, text, labels=[label])
        made.add_metric([value], 0)
        return made

    return make


def _one(cell: int) -> Taker:
    return lambda cells, _: (cells[cell],)
