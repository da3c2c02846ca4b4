import logging
from pathlib import Path

import pytest

from gproxy.core.span import Span, pack
from gproxy.monitor.span_exporter import SpanExporter
from gproxy.settings import TracingSection
from gproxy.shared import layout
from gproxy.shared.span_queue import SpanSender
from gproxy.shared.table import Table
from tests.harness.collector import Collector, Received
from tests.harness.waiting import eventually

TRACE, ONE, TWO = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "00f067aa0ba902b8"
SERVER = Span(TRACE, ONE, TWO, "a=1,b=2", "GET /users", True, 1_000, 3_000, "bad_upstream", {"gproxy.api": "all"})
CLIENT = Span(TRACE, TWO, ONE, "", "GET", False, 1_500, 2_000, "", {"server.port": 80})


def test_spans_reach_the_collector(tmp_path: Path) -> None:
    table = Table.create(2, rows=4)
    sender = SpanSender(tmp_path)
    with Collector() as collector:
        exporter = SpanExporter(TracingSection(collector.endpoint, 100, "shop", "all"), tmp_path, table)
        exporter.start()
        assert sender.send(b"nonsense")
        assert sender.send(pack([SERVER, CLIENT]))
        eventually(lambda: len(collector.spans) == 2, about="both spans are there")
        server, client = collector.of(TRACE)
        attributes = {"gproxy.api": "all"}
        assert server == Received(TRACE, ONE, TWO, "a=1,b=2", "GET /users", 2, 2_000, 2, attributes, "shop")
        assert client == Received(TRACE, TWO, ONE, "", "GET", 3, 500, 0, {"server.port": 80}, "shop")
        eventually(lambda: table.cells[layout.SPANS_EXPORTED] == 2)
        exporter.stop()
    sender.close()


def test_a_collector_that_refuses_costs_its_spans_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gproxy")
    table = Table.create(2, rows=4)
    sender = SpanSender(tmp_path)
    with Collector(status=400) as collector:
        exporter = SpanExporter(TracingSection(collector.endpoint, 100, "shop", "all"), tmp_path, table)
        exporter.start()
        for count in (1, 2):
            sender.send(pack([SERVER]))
            eventually(lambda count=count: table.cells[layout.SPANS_FAILED] == count)
        collector.status = 200
        sender.send(pack([CLIENT]))
        eventually(lambda: table.cells[layout.SPANS_EXPORTED] == 1)
        exporter.stop()
    sender.close()
    told = [record.message for record in caplog.records if record.name.startswith("gproxy")]
    assert told == ["the collector does not take spans", "the collector takes spans again"]
