"""The load generator: its command line, and its report read back."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.process import BenchError
from scripts.benchmark.workloads import Workload

UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}


@dataclass(frozen=True, slots=True)
class Report:
    """What wrk measured; `errors` counts socket errors, timeouts and answers other than 2xx and 3xx."""

    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def command(wrk: str, workload: Workload, port: int, seconds: float, script: Path | None) -> list[str]:
    """Return the command line: one thread, which one core can feed."""
    return [
        *(wrk, "--threads", "1", "--connections", str(workload.connections), "--latency"),
        *("--duration", f"{seconds:.0f}s"),
        *(["--script", str(script)] if script else []),
        *(["--header", "Connection: close"] if workload.closes else []),
        f"{'https' if workload.setup.speaks_tls else 'http'}://127.0.0.1:{port}{workload.path}",
    ]


def run(command_line: list[str]) -> Report:
    """Run wrk and return its report; raises BenchError when it fails."""
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command_line)} failed:\n{done.stdout}{done.stderr}")
    return parse(done.stdout)


def parse(text: str) -> Report:
    """Read wrk's printed report; raises BenchError when it is none."""
    total = re.search(r"^\s*(\d+) requests in ", text, re.MULTILINE)
    rate = re.search(r"^Requests/sec:\s*([\d.]+)", text, re.MULTILINE)
    if total is None or rate is None:
        raise BenchError(f"this is not a report of wrk:\n{text}")
    socket_errors = re.search(r"Socket errors: (.*)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Report(
        requests=int(total.group(1)),
        requests_per_s=float(rate.group(1)),
        p50_ms=percentile_ms(text, 50),
        p99_ms=percentile_ms(text, 99),
        errors=sum(int(number) for number in re.findall(r"\d+", socket_errors.group(1) if socket_errors else ""))
        + int(refused.group(1) if refused else 0),
    )


def percentile_ms(text: str, percent: int) -> float:
    """Return one line of wrk's latency distribution in milliseconds; raises BenchError when it is missing."""
    found = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s|m|h)\s*$", text, re.MULTILINE)
    if found is None:
        raise BenchError(f"wrk reported no {percent} % latency:\n{text}")
    return float(found.group(1)) * UNITS_MS[found.group(2)]
