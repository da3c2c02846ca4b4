"""[tracing] with a real collector: turned on by a reload, spans of workers arrive there, and nobody waits for it."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.harness.collector import Collector
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = f"traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: a=1\r\n"


def test_traces_from_a_request_to_the_collector(tmp_path: Path) -> None:
    with EchoBackend() as echo, Collector() as collector, Gateway(tmp_path, documents({"e": echo.address})) as gateway:

        def told() -> bytes | None:
            with gateway.client() as client:
                assert client.get("/traced", headers=HEADERS).status == 200
            return echo.requests[-1].head.value("traceparent")

        assert PARENT in str(told())  # off: it passes as it is
        gateway.configure({"tracing": {"endpoint": collector.endpoint, "service_name": "shop"}})
        gateway.signal(signal.SIGHUP)
        eventually(lambda: PARENT not in str(told()), 30, "the new settings are in use")
        eventually(lambda: len(collector.of(TRACE)) >= 2, 30, "the spans are there")
        server, *_, client = collector.of(TRACE)
        assert (server.service, server.name, server.parent_id, server.state) == ("shop", "GET /*", PARENT, "a=1")
        assert client.parent_id in {span.span_id for span in collector.of(TRACE)}
        assert {entry.kind for entry in collector.of(TRACE)} == {2, 3}
        eventually(lambda: "gproxy_spans_exported_total 2" in gateway.control_text("/metrics").replace(".0", ""), 10)
        collector.status = 503
        for _ in range(20):
            assert PARENT not in str(told())
        assert TRACE in gateway.access_lines()[-1]
        assert "gproxy_spans_dropped_total 0" in gateway.control_text("/metrics")
