from scripts.benchmark import table
from scripts.benchmark.measure import Sample
from scripts.benchmark.table import Result
from scripts.benchmark.workloads import Workload

GET = Workload("small_get", "small GET")
IDLE = Workload("idle", "memory")
FAST = Sample(cost=16.0, requests_per_s=50123.4, p50_ms=1.04, p99_ms=1.986, rss_bytes=12 * 2**20)
OURS = Sample(cost=24.0, requests_per_s=40123.4, p50_ms=1.5, p99_ms=2.5, rss_bytes=40 * 2**20)
RESULT = Result(GET, {"nginx": FAST, "gproxy": OURS})


def test_the_table_shows_each_proxy_below_the_other_with_its_ratio() -> None:
    lines = table.text([RESULT]).splitlines()
    assert lines[0].split("  ")[0] == "workload"
    assert lines[2].split() == ["small", "GET", "nginx", "16.0", "1.00", "50,123", "1.04", "1.99", "12"]
    assert lines[3].split() == ["gproxy", "24.0", "1.50", "40,123", "1.50", "2.50", "40"]
    assert len({len(line) for line in lines}) == 1


def test_without_nginx_there_is_no_ratio() -> None:
    assert Result(GET, {"gproxy": OURS}).ratio("gproxy") is None
    assert "-" in table.row(Result(GET, {"gproxy": OURS}), "gproxy")


def test_the_idle_workload_shows_memory_only() -> None:
    result = Result(IDLE, {"nginx": Sample(cost=512.0), "gproxy": Sample(cost=1024.0)})
    assert table.row(result, "gproxy") == ("gproxy", "1.0 KB", "2.00", "", "", "", "0")


def test_large_costs_have_no_fraction() -> None:
    assert Result(GET, {"nginx": Sample(cost=1234.5)}).cost_text("nginx") == "1,234"


def test_notes_tell_of_errors_noise_and_supervision() -> None:
    loud = Sample(cost=1.0, errors=3, others_percent=25.0, supervisors_percent=0.14)
    notes = table.notes([Result(GET, {"nginx": FAST, "gproxy": loud})], "--enable-optimizations")
    assert notes == [
        "gproxy's master, sync and monitor together took at most 0.1 % of the core (not counted above)",
        "small_get on gproxy: 3 requests FAILED",
        "the machine was busy: in 1 of 2 figures others took more than 10 % of the proxy's core (up to 25 %)",
    ]
    assert table.notes([Result(GET, {"nginx": FAST})], "") == []


def test_a_python_that_is_slower_than_it_need_be_is_told() -> None:
    assert table.notes([RESULT], "--enable-shared")[0].startswith(
        "this Python was built without --enable-optimizations"
    )
    assert not any("Python" in note for note in table.notes([RESULT], "'--enable-optimizations' '--with-lto'"))
