"""What each process of the gateway takes at a moment, and whether it stays at that."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import httpx
import psutil

from scripts.long_run.stage import Stage

#: Two workers accept from one socket: so many questions reach both.
_QUESTIONS = 24


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at `at_s` seconds of the run; `greenlets` and `objects` (of Python) are known of workers only."""

    at_s: float
    name: str
    pid: int
    memory_bytes: int
    descriptors: int
    threads: int
    greenlets: int | None = None
    objects: int | None = None


def take(stage: Stage, at_s: float) -> list[Sample]:
    """Look at all processes."""
    inside = _inside(stage.port)
    found = []
    for process in stage.processes():
        with contextlib.suppress(psutil.Error), process.oneshot():
            figures = inside.get(process.pid, {})
            found.append(
                Sample(
                    *(at_s, process.name(), process.pid, process.memory_info().rss),
                    *(process.num_fds(), process.num_threads(), figures.get("greenlets"), figures.get("objects")),
                )
            )
    return found


def _inside(port: int) -> dict[int, dict[str, int]]:
    """Ask the workers about themselves, by process id."""
    found: dict[int, dict[str, int]] = {}
    for _ in range(_QUESTIONS):
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
            figures = httpx.get(f"http://127.0.0.1:{port}/inside").json()
            found[figures["pid"]] = figures
        if len(found) == 2:
            break
    return found


#: So many connections more may be open at one time than at another: those that a fault has held up.
_MOST_CONNECTIONS = 60
#: figure -> how much more of it there may be late in a life than in the middle of it: a share of it, and a number
BOUNDS: dict[str, tuple[float, float]] = {
    "memory_bytes": (0.03, 1 << 20),
    "descriptors": (0.0, _MOST_CONNECTIONS),
    "threads": (0.0, 2),
    "greenlets": (0.0, 50),
    "objects": (0.03, 2000),
}


def growth(samples: Sequence[Sample], warm_s: float) -> list[str]:
    """Return what grows in one life of a process, in words: samples of it in order, the first `warm_s` left out.

    Of the rest the last third is compared with the middle one, each by its median.
    """
    warm = [sample for sample in samples if sample.at_s - samples[0].at_s >= warm_s]
    third = len(warm) // 3
    if third < 3:
        return []
    found = []
    for figure, (share, number) in BOUNDS.items():
        middle, last = (
            [value for sample in part if (value := getattr(sample, figure)) is not None]
            for part in (warm[third : 2 * third], warm[-third:])
        )
        if middle and last and median(last) > median(middle) * (1 + share) + number:
            name = f"{samples[0].name} ({samples[0].pid})"
            found.append(f"{name}: {figure} grows from {median(middle):,.0f} to {median(last):,.0f}")
    return found


def lives(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Put the samples of each process together, longest lives first."""
    by_pid: dict[int, list[Sample]] = {}
    for sample in samples:
        by_pid.setdefault(sample.pid, []).append(sample)
    return sorted(by_pid.values(), key=len, reverse=True)
