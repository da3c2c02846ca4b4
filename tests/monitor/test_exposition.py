import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gproxy.core.histogram import MIDDLES_US, bucket
from gproxy.monitor.exposition import Exposition
from gproxy.monitor.objects import objects
from gproxy.monitor.sampler import Sampler
from gproxy.monitor.stats import Now
from gproxy.shared import layout
from gproxy.shared.health import HealthCells, Verdict
from gproxy.shared.table import Table
from tests.monitor.figures import lines, put

NOW = Now(1_000_000, 1_700_000_000_000)
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=300)
    yield made
    made.close()


@pytest.fixture
def sampler(table: Table) -> Sampler:
    made = Sampler(table, lambda: None)
    made.follow(objects(lines({'we"ird\\%s': 0, "b": 1}, {"all": 2}, breaker={"open_s": 1})))
    return made


@pytest.fixture
def exposition(table: Table, sampler: Sampler) -> Exposition:
    return Exposition(table, sampler, "1.2.3", lambda: None)


def read(exposition: Exposition) -> Series:
    """Read the answer as Prometheus does; a series that comes twice is an error."""
    found: Series = {}
    for family in text_string_to_metric_families(exposition.text(NOW).decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def of(series: Series, metric: str, **labels: Any) -> float:
    return series[metric, tuple(sorted(labels.items()))]


def test_a_node_that_is_drained_says_so(table: Table, exposition: Exposition) -> None:
    series = read(exposition)
    assert (of(series, "gproxy_ready"), of(series, "gproxy_drained")) == (0, 0)
    table.cells[layout.WORKERS_WANTED] = table.cells[table.base(0) + layout.VERSION] = 1
    table.cells[table.base(0) + layout.STATE] = layout.STATE_ACCEPTING
    series = read(exposition)
    assert (of(series, "gproxy_ready"), of(series, "gproxy_drained")) == (1, 0)
    table.cells[layout.DRAINED] = 1
    series = read(exposition)
    assert (of(series, "gproxy_ready"), of(series, "gproxy_drained")) == (0, 1)


def test_requests_by_rule(table: Table, sampler: Sampler, exposition: Exposition) -> None:
    sampler.follow(objects(lines({}, {}, routings={"beta": 5})))
    put(table, 5, 7)
    series = read(exposition)
    assert of(series, "gproxy_routing_requests_total", routing="beta", code_class="2xx") == 7
    assert of(series, "gproxy_routing_request_duration_seconds_count", routing="beta") == 7


def test_requests_by_api_server_and_node(table: Table, exposition: Exposition) -> None:
    put(table, 2, 7)
    put(table, 2, 1, slot=1, cell=layout.ROW_STATUS_5XX)
    put(table, 0, 3)
    series = read(exposition)
    assert of(series, "gproxy_requests_total", api="all", code_class="2xx") == 7
    assert of(series, "gproxy_requests_total", api="all", code_class="5xx") == 1
    assert of(series, "gproxy_requests_total", api="all", code_class="4xx") == 0
    assert of(series, "gproxy_response_bytes_total", api="all") == 800
    assert of(series, "gproxy_server_requests_total", server='we"ird\\%s', code_class="2xx") == 3
    assert of(series, "gproxy_node_requests_total", code_class="2xx") == 10


def test_histograms_are_cumulative_in_seconds(table: Table, exposition: Exposition) -> None:
    put(table, 2, 4, ms=3)
    put(table, 2, 1, ms=700, slot=1)
    series = read(exposition)
    name = "gproxy_request_duration_seconds"
    expected = {"0.0025": 0, "0.005": 4, "0.5": 4, "1.0": 5, "+Inf": 5}
    assert {le: of(series, f"{name}_bucket", api="all", le=le) for le in expected} == expected
    assert of(series, f"{name}_count", api="all") == 5
    in_all = (4 * MIDDLES_US[bucket(3000)] + MIDDLES_US[bucket(700_000)]) / 1e6
    assert of(series, f"{name}_sum", api="all") == pytest.approx(in_all)
    assert of(series, "gproxy_server_request_duration_seconds_count", server="b") == 0


def test_a_deleted_object_has_no_series_and_a_new_one_has(sampler: Sampler, exposition: Exposition) -> None:
    assert 'server="b"' in exposition.text(NOW).decode()
    sampler.follow(objects(lines({"c": 1}, {})))
    text = exposition.text(NOW).decode()
    assert 'server="b"' not in text
    assert "api=" not in text
    assert 'gproxy_server_requests_total{code_class="2xx",server="c"} 0' in text


def test_gauges_of_the_node(table: Table, exposition: Exposition) -> None:
    cells = table.cells
    cells[layout.REVISION], cells[layout.PUBLISHED_MS] = 41, NOW.wall_ms - 2500
    cells[layout.SYNC_STATE] = layout.SYNC_FOLLOWING
    cells[layout.WORKER_RESTARTS] = 3
    series = read(exposition)
    assert of(series, "gproxy_build_info", version="1.2.3") == 1
    assert of(series, "gproxy_snapshot_revision") == 41
    assert of(series, "gproxy_snapshot_age_seconds") == 2.5
    assert of(series, "gproxy_sync_state", state="following") == 1
    assert of(series, "gproxy_sync_state", state="store_lost") == 0
    assert of(series, "gproxy_worker_restarts_total") == 3


def test_workers_that_are(table: Table, exposition: Exposition) -> None:
    table.claim(0)
    table.claim(1)
    table.release(1)
    base = table.base(0)
    table.cells[base + layout.PID] = 1
    table.cells[base + layout.LOOP_LAG_US] = 1500
    series = read(exposition)
    lags = {key: value for key, value in series.items() if key[0] == "gproxy_worker_event_loop_lag_seconds"}
    assert lags == {("gproxy_worker_event_loop_lag_seconds", (("worker", "0"),)): 0.0015}
    assert of(series, "gproxy_worker_resident_memory_bytes", worker="0") > 0
    assert of(series, "gproxy_worker_cpu_seconds_total", worker="0") >= 0


def test_health_and_circuits(table: Table, exposition: Exposition) -> None:
    HealthCells(table).write(1, Verdict(1, layout.HEALTH_DOWN, 0, 0, 2**62))
    series = read(exposition)
    assert of(series, "gproxy_server_up", server="b") == 0
    assert ("gproxy_server_up", (("server", 'we"ird\\%s'),)) not in series
    assert of(series, "gproxy_circuit_state", object="api", name="all", state="closed") == 1
    assert of(series, "gproxy_circuit_state", object="api", name="all", state="open") == 0


@pytest.mark.serial
def test_a_thousand_servers_and_eight_workers() -> None:
    """Read in under 200 ms of processor time, with every server busy on every worker."""
    table = Table.create()
    sampler = Sampler(table, lambda: None)
    sampler.follow(objects(lines({f"server-{row}": row for row in range(1000)}, {})))

    def work() -> None:
        for row in range(1000):
            for slot in range(8):
                for ms in (1, 3, 10, 200):
                    put(table, row, 1, ms, slot)

    work()
    exposition = Exposition(table, sampler, "1", lambda: None)
    exposition.text(NOW)
    took_s = []
    for _ in range(3):  # the best of three: a busy machine makes processor time longer, too
        work()
        began = time.process_time()
        exposition.text(NOW)
        took_s.append(time.process_time() - began)
    table.close()
    assert min(took_s) < 0.2
