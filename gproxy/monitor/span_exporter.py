"""Sends the spans that workers leave to a collector, by OpenTelemetry's own exporter: OTLP over HTTP, in a thread.

The library is loaded with the thread, where `[tracing]` is on. A collector that is slow or away delays nobody: what
workers cannot leave meanwhile is dropped and counted there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

from gproxy import __version__
from gproxy.core.span import Span, unpack
from gproxy.settings import TracingSection
from gproxy.shared import layout
from gproxy.shared.span_queue import SpanReceiver
from gproxy.shared.table import Table

log = logging.getLogger(__name__)

#: Spans are sent together: so many, or those of so long. How long the collector may take to answer.
_MOST_SPANS, _GATHER_S, _TIMEOUT_S = 512, 0.5, 5.0
_WAIT_S: Final = 0.2


class SpanExporter:
    """The way of a node's spans to its collector; `stop` ends it."""

    def __init__(self, section: TracingSection, run_dir: Path, table: Table) -> None:
        self._section = section
        self._cells = table.cells
        self._queue = SpanReceiver(run_dir)
        self._is_stopped = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="span-exporter", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what has been gathered, within a moment, and end."""
        self._is_stopped = True
        self._thread.join(2)

    def _run(self) -> None:
        try:
            export = _exporter(self._section)
        except Exception:
            log.exception("the exporter of spans cannot be made")
            return
        while not self._is_stopped:
            spans = self._gather()
            if spans:
                self._note(len(spans), export(spans))
        self._queue.close()

    def _gather(self) -> list[Span]:
        """Wait for spans: many, or those of a moment."""
        spans: list[Span] = []
        until = 0.0
        while len(spans) < _MOST_SPANS and not (spans and (self._is_stopped or monotonic() >= until)):
            message = self._queue.receive(_WAIT_S)
            try:
                spans += unpack(message) if message else ()
            except ValueError as error:
                log.warning("a message that is no spans", extra={"reason": error})
            if self._is_stopped and not message:
                break
            until = until or (monotonic() + _GATHER_S if spans else 0.0)
        return spans

    def _note(self, count: int, is_taken: bool) -> None:
        self._cells[layout.SPANS_EXPORTED if is_taken else layout.SPANS_FAILED] += count
        if is_taken is self._is_failing:
            self._is_failing = not is_taken
            about = {"endpoint": self._section.endpoint}
            if is_taken:
                log.info("the collector takes spans again", extra=about)
            else:
                log.warning("the collector does not take spans", extra=about)


def _exporter(section: TracingSection) -> Callable[[Sequence[Span]], bool]:
    """Return what sends spans and says whether they were taken."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExportResult

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it has a line for each failure: we have one for all
    exporter = OTLPSpanExporter(endpoint=section.endpoint, timeout=_TIMEOUT_S)
    resource = Resource.create({"service.name": section.service_name, "service.version": __version__})

    def export(spans: Sequence[Span]) -> bool:
        try:
            return bool(exporter.export([_readable(span, resource) for span in spans]) is SpanExportResult.SUCCESS)
        except Exception as error:  # whatever the library does not expect of a collector
            log.debug("an export has failed", extra={"reason": error})
            return False

    return export


def _readable(span: Span, resource: Any) -> Any:
    """Return a span as the library has it."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

    def context(span_id: str, is_remote: bool) -> SpanContext:
        state = TraceState.from_header([span.state]) if span.state else None
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote, TraceFlags(TraceFlags.SAMPLED), state)

    return ReadableSpan(
        span.name,
        context=context(span.span_id, False),
        parent=context(span.parent_id, span.is_server) if span.parent_id else None,
        resource=resource,
        attributes=span.attributes,
        kind=SpanKind.SERVER if span.is_server else SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope("gproxy", __version__),
    )
