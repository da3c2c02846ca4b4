from pathlib import Path

import pytest

from scripts.benchmark import wrk
from scripts.benchmark.process import BenchError
from scripts.benchmark.workloads import Workload

REPORT = """Running 3s test @ http://127.0.0.1:8080/small
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.50ms    2.01ms  40.11ms   95.00%
    Req/Sec    38.31k     1.02k   40.10k    70.00%
  Latency Distribution
     50%  750.00us
     75%    1.40ms
     90%    1.80ms
     99%    1.25s
  76235 requests in 2.00s, 18.25MB read
Requests/sec:  38098.12
Transfer/sec:      9.12MB
"""


def test_a_report_is_read_back() -> None:
    assert wrk.parse(REPORT) == wrk.Report(
        requests=76235, requests_per_s=38098.12, p50_ms=0.75, p99_ms=1250.0, errors=0
    )


def test_every_kind_of_error_counts() -> None:
    troubled = REPORT.replace(
        "Requests/sec",
        "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 50\nRequests/sec",
    )
    assert wrk.parse(troubled).errors == 60


@pytest.mark.parametrize("text", ["", "unable to connect", REPORT.replace("50%", "51%")])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="wrk"):
        wrk.parse(text)


def test_the_command_line_follows_the_workload() -> None:
    plain = wrk.command("wrk", Workload("a", "a", path="/x", connections=7), 80, 3, None)
    assert " ".join(plain) == "wrk --threads 1 --connections 7 --latency --duration 3s http://127.0.0.1:80/x"
    closing = wrk.command("wrk", Workload("a", "a", closes=True), 80, 3, Path("a.lua"))
    assert closing[-5:-1] == ["--script", "a.lua", "--header", "Connection: close"]


def test_a_failing_wrk_is_reported_with_its_words() -> None:
    with pytest.raises(BenchError, match="failed:\nout of luck"):
        wrk.run(["sh", "-c", "echo out of luck >&2; exit 3"])
