from pathlib import Path

import pytest

from scripts.benchmark import h2load
from scripts.benchmark.process import BenchError
from scripts.benchmark.workloads import Workload
from scripts.benchmark.wrk import Report

REPORT = """Application protocol: h2
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 2.01s, 23872.50 req/s, 1.55MB/s
requests: 100 total, 164 started, 100 done, 97 succeeded, 1 failed, 2 errored, 3 timeout
status codes: 97 2xx, 0 3xx, 0 4xx, 1 5xx
"""
LOG = "".join(f"1795792656687935\t200\t{1000 * number}\n" for number in range(100, 0, -1))


def test_a_report_is_read_back() -> None:
    assert h2load.parse(REPORT, LOG) == Report(requests=100, requests_per_s=23872.5, p50_ms=51, p99_ms=100, errors=6)


@pytest.mark.parametrize(
    ("text", "log"), [("", LOG), (REPORT, ""), (REPORT.replace("protocol: h2", "protocol: http/1.1"), LOG)]
)
def test_what_is_no_report_is_refused(text: str, log: str) -> None:
    with pytest.raises(BenchError, match="h2load"):
        h2load.parse(text, log)


def test_the_command_line_follows_the_workload() -> None:
    command = h2load.command("h2load", Workload("a", "a", path="/x", connections=7, streams=3), 80, 3, Path("a.log"))
    assert " ".join(command) == (
        "h2load --threads=1 --clients=7 --max-concurrent-streams=3 --duration=3 --log-file=a.log https://127.0.0.1:80/x"
    )


def test_a_failing_h2load_is_reported_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="failed:\nout of luck"):
        h2load.run(["sh", "-c", "echo out of luck >&2; exit 3"], tmp_path / "log")
