"""The monitor process: checks servers, watches the node, serves the control endpoint on the master's socket."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent import Timeout
from gevent.event import Event
from gevent.hub import get_hub
from gevent.pywsgi import WSGIHandler, WSGIServer

from gproxy import logs
from gproxy.monitor.control import Control
from gproxy.monitor.current import Current
from gproxy.monitor.explain import Explainer
from gproxy.monitor.health import Prober
from gproxy.monitor.key_fetcher import KeyFetcher
from gproxy.monitor.targets import targets
from gproxy.monitor.transitions import Announcer
from gproxy.monitor.watch import Watch
from gproxy.role import Context
from gproxy.shared import layout
from gproxy.shared.health import HealthCells
from gproxy.shared.table import now_ms
from gproxy.store.snapshot_file import FILE_NAME

if TYPE_CHECKING:
    from gproxy.monitor.span_exporter import SpanExporter

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 0.5
#: pywsgi has no deadlines: a connection is closed after so long, whether its client is slow, silent or busy.
LONGEST_CONNECTION_S: Final = 60.0
#: Connections served at a time: a scraper gone wild must not eat the memory of the node.
MOST_CONNECTIONS: Final = 256


class _Handler(WSGIHandler):
    """pywsgi's handler with a deadline for the whole connection, and no request log."""

    def handle(self) -> None:
        with Timeout(LONGEST_CONNECTION_S, False):  # type: ignore[arg-type]  # False: end the block silently
            super().handle()

    def log_request(self) -> None:
        """Questions of health checks are not worth a line each."""


def run(context: Context) -> int:
    """Be the monitor until told to stop or the master is gone; returns the exit code."""
    hub = get_hub()
    hub.print_exception = logs.stray  # type: ignore[method-assign, assignment]
    stopped = Event()
    prober = Prober(HealthCells(context.table), Announcer(context.table).tell)
    watch = Watch(context.table, context.settings.filters.extra)
    server = _server(context, prober, watch)
    watchers: list[Any] = []
    for number, action in (
        (signal.SIGTERM, stopped.set),
        (signal.SIGQUIT, stopped.set),
        (signal.SIGUSR1, logs.reopen),
    ):
        watcher = hub.loop.signal(number)
        watcher.start(action)
        watchers.append(watcher)
    server.start()
    spans = _span_exporter(context)
    context.table.cells[layout.CONTROL_PORT] = _port(context.listeners[0])
    fetcher = KeyFetcher(context.table, context.settings.gproxy.run_dir)
    current = _current(context, prober, watch, fetcher)
    endless = [prober.start(), *map(gevent.spawn, (current.follow, watch.look_for_ever, fetcher.run_for_ever))]
    context.table.cells[layout.MONITOR_HEARTBEAT] = now_ms()
    while not stopped.wait(HEARTBEAT_S) and os.getppid() == context.master_pid:
        context.table.cells[layout.MONITOR_HEARTBEAT] = now_ms()
        if any(part.ready() for part in endless):
            log.error("a part of the monitor has failed, another monitor must take over")
            return 1
    server.stop(timeout=0)
    if spans is not None:
        spans.stop()
    return 0


def _port(listener: socket.socket) -> int:
    return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])


def _current(context: Context, prober: Prober, watch: Watch, fetcher: KeyFetcher) -> Current:
    def check(lines: Sequence[bytes]) -> None:
        # Thousands of documents would hold the loop: a thread reads them.
        prober.follow(get_hub().threadpool.apply(targets, (lines,)))

    return Current(context.table, context.settings.gproxy.run_dir / FILE_NAME, (check, watch.follow, fetcher.follow))


def _span_exporter(context: Context) -> SpanExporter | None:
    """Return what sends spans to a collector, None where there are no traces."""
    section = context.settings.tracing
    if not section.endpoint:
        return None
    from gproxy.monitor.span_exporter import SpanExporter  # nobody else has a use for it

    exporter = SpanExporter(section, context.settings.gproxy.run_dir, context.table)
    exporter.start()
    return exporter


def _server(context: Context, prober: Prober, watch: Watch) -> WSGIServer:
    explainer = Explainer(context.table, context.settings, context.settings.gproxy.run_dir / FILE_NAME, context.cache)
    return WSGIServer(
        context.listeners[0],
        Control(
            context.table,
            context.master_pid,
            lambda: prober.subjects,
            watch,
            explainer.explain,
            prober.check_now,
            context.cache,
        ),
        spawn=MOST_CONNECTIONS,
        handler_class=_Handler,
        log=None,
        error_log=log,
    )
