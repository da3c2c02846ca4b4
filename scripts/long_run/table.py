"""The long run as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from scripts.long_run.samples import Sample, lives

_HEADINGS = ("process", "from minute", "to minute", "", "memory", "descriptors", "threads", "greenlets", "objects")


def processes(samples: Sequence[Sample], least: int) -> str:
    """Return a row for each third of each life of at least so many samples: the medians of it."""
    rows = [_row(_HEADINGS), _row(["---"] * len(_HEADINGS))]
    for life in lives(samples):
        if len(life) < least:
            continue
        third = len(life) // 3
        first = (life[0].name, f"{life[0].at_s / 60:.0f}", f"{life[-1].at_s / 60:.0f}")
        parts = {"first third": life[:third], "second": life[third:-third], "last": life[-third:]}
        for number, (title, part) in enumerate(parts.items()):
            memory = f"{median(sample.memory_bytes for sample in part) / 2**20:.1f} MB"
            counts = [_middle(part, name) for name in ("descriptors", "threads", "greenlets", "objects")]
            rows.append(_row((*(first if not number else ("", "", "")), title, memory, *counts)))
    return "\n".join(rows)


def _middle(part: Sequence[Sample], name: str) -> str:
    values = [value for sample in part if (value := getattr(sample, name)) is not None]
    return f"{median(values):,.0f}" if values else ""


def requests(ends: Counter[str]) -> str:
    """Return a row for each kind of request: what became of how many."""
    by_kind: dict[str, list[str]] = {}
    for end, count in sorted(ends.items(), key=lambda item: -item[1]):
        kind, _, how = end.rpartition(": ")
        by_kind.setdefault(kind, []).append(f"{how} {count:,}")
    rows = [_row(("request", "ends")), _row(("---", "---"))]
    return "\n".join([*rows, *(_row((kind, ", ".join(found))) for kind, found in by_kind.items())])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
