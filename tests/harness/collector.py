"""A small OpenTelemetry collector: takes OTLP over HTTP and keeps the spans, decoded."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Received:
    """One span: ids in hexadecimal, kind 2 is a server's and 3 a client's, status 2 an error."""

    trace_id: str
    span_id: str
    parent_id: str
    state: str
    name: str
    kind: int
    took_ns: int
    status: int
    attributes: dict[str, Any]
    service: str


class Collector:
    """Answers with `status`; use it as a context manager."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.spans: list[Received] = []
        self.asked = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.take(body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(collector.status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, body: bytes) -> None:
        self.asked += 1
        if self.status != 200:
            return
        request = ExportTraceServiceRequest.FromString(body)
        for of_resource in request.resource_spans:
            service = {pair.key: pair.value.string_value for pair in of_resource.resource.attributes}["service.name"]
            for of_scope in of_resource.scope_spans:
                self.spans += [_received(span, service) for span in of_scope.spans]

    def of(self, trace_id: str) -> list[Received]:
        """Return the spans of a trace, those of servers first."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.kind)


def _received(span: Any, service: str) -> Received:
    attributes = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}
    took_ns = span.end_time_unix_nano - span.start_time_unix_nano
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Received(*ids, span.trace_state, span.name, span.kind, took_ns, span.status.code, attributes, service)
