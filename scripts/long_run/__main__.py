"""scripts/soak: run a gateway for a long time under mixed load, with a fault every minute; it must not grow."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from scripts.long_run import samples, table
from scripts.long_run.faults import FAULTS
from scripts.long_run.samples import Sample
from scripts.long_run.stage import SoakError, Stage, standing
from scripts.processes import started

_SAMPLE_S = 10.0
#: Processes that ask.
_CLIENTS = 3
#: Caches of heads, contexts and parsed bodies fill in a process's first minutes.
_WARM_S = 180.0


def main(arguments: list[str]) -> int:
    """Exit code 1 when a process grows, a fault of the gateway's own was logged, or the run could not be done."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second (200)")
    parser.add_argument("--fault-s", type=float, default=60.0, help="seconds from one fault to the next (60)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gproxy-soak-") as folder:
        try:
            with standing(Path(folder)) as stage:
                taken, ends = soak(stage, 60 * options.minutes, options.rate, options.fault_s)
                log = stage.log()
        except SoakError as error:
            print(f"scripts/soak: {error}", file=sys.stderr)
            return 1
    print(table.processes(taken, 18))
    print()
    print(table.requests(ends))
    for line in log.splitlines():
        if " ERROR " in line:
            progress(line)
    wrong = [line for life in samples.lives(taken) for line in samples.growth(life, _WARM_S)]
    if "Traceback" in log:
        wrong.append(f"the gateway has logged a fault of its own:\n{log[log.index('Traceback') - 500 :][:5000]}")
    for line in wrong:
        print(f"* {line}", file=sys.stderr)
    return 1 if wrong else 0


def soak(stage: Stage, seconds: float, rate: float, fault_s: float) -> tuple[list[Sample], Counter[str]]:
    """Load the gateway for so long; return the samples, and how often requests came to which end."""
    share = [str(stage.port), str(stage.tls_port), str(rate / _CLIENTS)]
    output = stage.folder / "clients.log"
    taken: list[Sample] = []
    began_s, number = time.monotonic(), 0
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        command = [sys.executable, "-m", "scripts.long_run.clients", *share]
        clients = [stack.enter_context(started(command, output)) for _ in range(_CLIENTS)]
        fault: Future[None] | None = None
        while (at_s := time.monotonic() - began_s) < seconds:
            taken += samples.take(stage, at_s)
            if at_s >= (number + 1) * fault_s and (fault is None or fault.done()):
                if fault is not None:
                    fault.result()
                befalls = FAULTS[number % len(FAULTS)]
                number += 1
                progress(f"{at_s / 60:.1f} min: {befalls.__name__}")
                fault = pool.submit(befalls, stage)
            if any(one.poll() is not None for one in clients) or stage.gateway.poll() is not None:
                raise SoakError(f"clients or gateway have ended:\n{output.read_text()[-2000:]}\n{stage.log()[-2000:]}")
            time.sleep(max(0.0, _SAMPLE_S - (time.monotonic() - began_s - at_s)))
    ends: Counter[str] = Counter()
    for line in output.read_text().splitlines():
        ends.update(json.loads(line) if line.startswith("{") else {})
    return taken, ends


def progress(text: str) -> None:
    """Say what is being done."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
