"""Adds up what live nodes tell: counters and rates are summed, histograms added and percentiles taken of the sum.

Pure: readings in, documents out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gadmin.fleet.reading import Document, Reading
from gproxy.core.histogram import BUCKETS, add_sparse, percentiles_ms

#: Words that nodes tell of an object, and under which name they are counted.
_WORDS: Final = {"circuit": "circuits", "health": "health"}
#: What is not added up.
_OTHER: Final = frozenset({"name", "rates", "latency_ms", "buckets", "history", *_WORDS})


def nodes(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """Return each node as pages show it, without its objects."""
    return [_node(reading) for reading in readings]


def objects(readings: Iterable[Reading], key: str) -> list[dict[str, Any]]:
    """Return the `apis` or `servers` of all live nodes, by name, each added up."""
    found: dict[str, list[Document]] = {}
    for reading in readings:
        if reading.told is not None and reading.is_live:
            for item in reading.told[key]:
                found.setdefault(item["name"], []).append(item)
    return [added(name, items) for name, items in sorted(found.items())]


def figures(readings: Iterable[Reading]) -> dict[str, Any]:
    """Return the totals of all live nodes, their rates and times by window."""
    live = [reading.told for reading in readings if reading.told is not None and reading.is_live]
    return {
        "totals": _sums(told["totals"] for told in live),
        "rates": _rates([told["figures"] for told in live]),
        "latency_ms": _times([told["figures"] for told in live]),
        "workers": sum(len(told["workers"]) for told in live),
    }


def added(name: str, items: Sequence[Document]) -> dict[str, Any]:
    """Return one object from what several nodes tell of it; `circuits` and `health` count nodes by state."""
    return {
        "name": name,
        **_sums({key: value for key, value in item.items() if key not in _OTHER} for item in items),
        "rates": _rates(items),
        "latency_ms": _times(items),
        **{plural: _counted(item.get(word) for item in items) for word, plural in _WORDS.items()},
    }


def _node(reading: Reading) -> dict[str, Any]:
    told = reading.told or {}
    shown = {key: value for key, value in told.items() if key not in ("apis", "servers", "history")}
    return {
        **shown,
        "id": reading.id,
        "address": reading.address,
        "state": reading.state,
        "age_s": round(reading.age_s, 1) if reading.told is not None else None,
        "trouble": reading.trouble,
    }


def _sums(items: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for item in items:
        for key, value in item.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                total[key] = total.get(key, 0) + value
    return total


def _rates(items: Sequence[Document]) -> dict[str, dict[str, float]]:
    """Return the sums by window; an object without rates on a node does nothing there."""
    windows: dict[str, list[Mapping[str, float]]] = {}
    for item in items:
        for window, rates in (item.get("rates") or {}).items():
            windows.setdefault(window, []).append(rates)
    return {window: {key: round(value, 3) for key, value in _sums(found).items()} for window, found in windows.items()}


def _times(items: Sequence[Document]) -> dict[str, dict[str, float | None]]:
    windows: dict[str, list[int]] = {}
    for item in items:
        for window, pairs in item.get("buckets", {}).items():
            add_sparse(windows.setdefault(window, [0] * BUCKETS), pairs)
    return {window: percentiles_ms(counts) for window, counts in windows.items()}


def _counted(words: Iterable[Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        if isinstance(word, str):
            found[word] = found.get(word, 0) + 1
    return found
