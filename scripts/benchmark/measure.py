"""One measurement, and the rounds around all proxies."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from scripts.benchmark import h2load, idle, wrk
from scripts.benchmark.contenders import Contender
from scripts.benchmark.process import core_busy_s, cores, cpu_s, rss_bytes
from scripts.benchmark.workloads import IDLE_CONNECTIONS, Workload
from scripts.benchmark.wrk import Report


@dataclass(frozen=True, slots=True)
class Sample:
    """What one measurement found.

    `cost` is CPU microseconds of the workers per completed request, for the idle workload bytes per
    connection. `supervisors_percent` and `others_percent` say how much of the proxy core the proxy's own
    supervising processes and everybody else took meanwhile.
    """

    cost: float
    requests_per_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    rss_bytes: float = 0.0
    errors: float = 0.0
    supervisors_percent: float = 0.0
    others_percent: float = 0.0


def measure_load(
    contender: Contender, workload: Workload, programs: dict[str, str], seconds: int, folder: Path
) -> Sample:
    """Put load on one proxy, with wrk or h2load, whose paths are in `programs`."""
    load = _load(contender, workload, programs, seconds, folder)
    core = cores()[0]
    before = (cpu_s(contender.workers), cpu_s(contender.supervisors), core_busy_s(core), time.monotonic())
    report = load()
    after = (cpu_s(contender.workers), cpu_s(contender.supervisors), core_busy_s(core), time.monotonic())
    workers_s, supervisors_s, busy_s, wall_s = (end - begin for begin, end in zip(before, after, strict=True))
    return Sample(
        cost=workers_s * 1e6 / max(1, report.requests),
        requests_per_s=report.requests_per_s,
        p50_ms=report.p50_ms,
        p99_ms=report.p99_ms,
        rss_bytes=sum(rss_bytes(pid) for pid in contender.workers),
        errors=report.errors,
        supervisors_percent=100 * supervisors_s / wall_s,
        others_percent=max(0.0, 100 * (busy_s - workers_s - supervisors_s) / wall_s),
    )


def _load(
    contender: Contender, workload: Workload, programs: dict[str, str], seconds: int, folder: Path
) -> Callable[[], Report]:
    """Return what puts the load on when it is called."""
    if workload.streams:
        log = folder / f"{workload.name}.log"
        return partial(h2load.run, h2load.command(programs["h2load"], workload, contender.port, seconds, log), log)
    script = folder / f"{workload.name}.lua" if workload.script else None
    if script:
        script.write_text(workload.script)
    return partial(wrk.run, wrk.command(programs["wrk"], workload, contender.port, seconds, script))


def measure_idle(contender: Contender) -> Sample:
    """Leave many connections open and look at the memory."""
    cost = idle.bytes_per_connection(contender.port, contender.workers, IDLE_CONNECTIONS)
    return Sample(cost=cost, rss_bytes=sum(rss_bytes(pid) for pid in contender.workers))


def rounds(contenders: list[Contender], count: int, once: Callable[[Contender], Sample]) -> dict[str, list[Sample]]:
    """Measure every contender that many times, taking turns and not always in the same order."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(count):
        shift = number % len(contenders)
        for contender in contenders[shift:] + contenders[:shift]:
            samples[contender.name].append(once(contender))
    return samples


def median(samples: list[Sample]) -> Sample:
    """Return the median of every figure, except errors: those are summed, none may hide."""
    middle = {
        field.name: statistics.median(getattr(sample, field.name) for sample in samples) for field in fields(Sample)
    }
    return Sample(**{**middle, "errors": sum(sample.errors for sample in samples)})
