"""scripts/bench: go through the workloads, print and store the result."""

import itertools
import json
import os
import platform
import signal
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType

from scripts.benchmark import backends, contenders, drawing, measure, packages, table
from scripts.benchmark.measure import Sample
from scripts.benchmark.options import Options, read_options
from scripts.benchmark.process import BenchError, allow_many_files, cores
from scripts.benchmark.workloads import Workload

Found = dict[str, list[Sample]]  # samples by proxy


def run(options: Options, programs: dict[str, str], folder: Path) -> Iterator[tuple[Workload, Found]]:
    """Yield each workload with its samples; workloads of one setup share the running proxies."""
    with backends.running(programs["nginx"], folder / "backends") as servers:
        for setup, group in itertools.groupby(options.workloads, key=lambda workload: workload.setup):
            own = Path(tempfile.mkdtemp(dir=folder))
            progress("starting the proxies")
            with contenders.running(options.proxies, programs, own, servers.behind(setup), setup) as running:
                for workload in group:
                    progress(workload.title)
                    if workload.is_idle:
                        yield workload, measure.rounds(running, 1, measure.measure_idle)
                        continue
                    load = partial(
                        measure.measure_load,
                        workload=workload,
                        programs=programs,
                        seconds=options.seconds,
                        folder=own,
                    )
                    yield workload, measure.rounds(running, options.rounds, load)


def progress(text: str) -> None:
    """Show what is being done, on a terminal only; an empty text wipes it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def machine(programs: dict[str, str]) -> dict[str, str]:
    """Return what the figures were measured on and with."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    about = {
        "processor": f"{model}, {os.cpu_count()} cores",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
    return about | {name: packages.version(path, "-v") for name, path in programs.items() if name != "gproxy"}


def write_json(path: Path, options: Options, about: dict[str, str], found: list[tuple[Workload, Found]]) -> None:
    """Store every sample and the medians; keys are workload, then proxy."""
    stored = {
        "machine": about,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "samples": {
            workload.name: {proxy: [asdict(sample) for sample in samples] for proxy, samples in by_proxy.items()}
            for workload, by_proxy in found
        },
        "medians": {
            workload.name: {proxy: asdict(measure.median(samples)) for proxy, samples in by_proxy.items()}
            for workload, by_proxy in found
        },
    }
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def measured(options: Options, programs: dict[str, str]) -> list[tuple[Workload, Found]]:
    """Run everything in a folder of its own that is gone afterwards."""
    allow_many_files()
    os.sched_setaffinity(0, {cores()[1]})
    with tempfile.TemporaryDirectory(prefix="gproxy-bench-") as folder:
        try:
            return list(run(options, programs, Path(folder)))
        finally:
            progress("")


def others(options: Options) -> list[str]:
    """Return the names of the programs that are needed besides gproxy."""
    loads = {"h2load" if workload.streams else "wrk" for workload in options.workloads if not workload.is_idle}
    return ["nginx", *(["haproxy"] if "haproxy" in options.proxies else []), *sorted(loads)]


def interrupted(number: int, frame: FrameType | None) -> None:
    """Turn TERM into what Ctrl-C does, so that everything started is stopped."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the benchmark; exit code 1 when it could not be done or a request failed, 2 for wrong arguments."""
    options = read_options(sys.argv[1:])
    signal.signal(signal.SIGTERM, interrupted)
    try:
        programs = packages.need(others(options))
        about = machine(programs)
        programs["gproxy"] = options.gproxy_command or contenders.default_gproxy()
        found = measured(options, programs)
    except BenchError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/bench: stopped", file=sys.stderr)
        return 1
    results = [
        table.Result(workload, {name: measure.median(by_proxy[name]) for name in options.proxies})
        for workload, by_proxy in found
    ]
    print(table.text(results))
    for note in table.notes(results, str(sysconfig.get_config_var("CONFIG_ARGS"))):
        print(f"* {note}")
    if options.json:
        write_json(options.json, options, about, found)
    if options.svg:
        method = f"CPU of the worker per request, one core each; median of {options.rounds} x {options.seconds} s"
        caption = f"{method}; {about['processor']}, Linux {about['kernel']}, {time.strftime('%Y-%m-%d')}"
        options.svg.write_text(drawing.svg(results, caption), encoding="utf-8")
    return 1 if any(sample.errors for result in results for sample in result.medians.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
