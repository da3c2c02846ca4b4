"""The load generator for HTTP/2: its command line, and its report read back."""

import re
import subprocess
from pathlib import Path

from scripts.benchmark.process import BenchError
from scripts.benchmark.workloads import Workload
from scripts.benchmark.wrk import Report


def command(h2load: str, workload: Workload, port: int, seconds: float, log: Path) -> list[str]:
    """Return the command line; the time of each request goes to `log`."""
    return [
        *(h2load, "--threads=1", f"--clients={workload.connections}", f"--max-concurrent-streams={workload.streams}"),
        *(f"--duration={seconds:.0f}", f"--log-file={log}", f"https://127.0.0.1:{port}{workload.path}"),
    ]


def run(command_line: list[str], log: Path) -> Report:
    """Run h2load and return its report; raises BenchError when it fails."""
    log.unlink(missing_ok=True)  # it appends
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not log.exists():
        raise BenchError(f"{' '.join(command_line)} failed:\n{done.stdout}{done.stderr}")
    return parse(done.stdout, log.read_text())


def parse(text: str, log: str) -> Report:
    """Read h2load's printed report and its log; raises BenchError when it is none, or not of HTTP/2."""
    rate = re.search(r"^finished in .*, ([\d.]+) req/s", text, re.MULTILINE)
    counts = re.search(r" (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    took_us = sorted(int(line.split("\t")[2]) for line in log.splitlines())
    if rate is None or counts is None or not took_us or "Application protocol: h2" not in text:
        raise BenchError(f"this is not a report of h2load on HTTP/2:\n{text}")
    done, *errors = map(int, counts.groups())
    return Report(
        requests=done,
        requests_per_s=float(rate.group(1)),
        p50_ms=took_us[len(took_us) // 2] / 1000,
        p99_ms=took_us[len(took_us) * 99 // 100] / 1000,
        errors=sum(errors),
    )
