"""The worker process: sets the loop up, follows signals and the shared table, drains and leaves."""

from __future__ import annotations

import gc
import logging
import os
import signal
from time import monotonic

from gproxy import logs
from gproxy.entrances import entrances
from gproxy.filters.extra import FilterError
from gproxy.role import EXIT_BOOT_FAILED, Context
from gproxy.shared import layout
from gproxy.shared.table import now_ms
from gproxy.store.snapshot_file import FILE_NAME
from gproxy.worker.current import Current
from gproxy.worker.deadlines import NEVER, TICK_S
from gproxy.worker.lag import Lag
from gproxy.worker.link import hub
from gproxy.worker.runtime import Runtime
from gproxy.worker.server import Acceptor

log = logging.getLogger(__name__)

_TICKS_PER_HEARTBEAT = 10
_TICKS_PER_LAG = 50
#: how long a new worker waits for a first snapshot before it accepts (and answers 503) without one
_PATIENCE_S = 5.0
#: garbage collection: exchanges make no cycles worth looking for often
_GC_THRESHOLDS = (20_000, 20, 50)


class Process:
    """One worker from boot to exit. `run` returns the exit code."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cells, self._base = context.table.cells, context.table.base(context.slot)
        self._runtime = Runtime(context)
        self._current = Current(self._runtime, context.settings.gproxy.run_dir / FILE_NAME)
        self._acceptors: list[Acceptor] = []
        self._ticks = 0
        self._lag = Lag(TICK_S, _TICKS_PER_LAG)
        self._accept_by = monotonic() + _PATIENCE_S
        self._stop_by = 0.0
        self._tick = hub.loop.timer(TICK_S, TICK_S)
        self._watchers = [hub.loop.signal(number) for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1)]

    def run(self) -> int:
        """Serve until told to stop."""
        for watcher, action in zip(self._watchers, (self.drain, self.stop, self._reopen), strict=True):
            watcher.start(action)
        self._tick.start(self._on_tick)
        gc.set_threshold(*_GC_THRESHOLDS)
        hub.join()
        return 0

    def drain(self) -> None:
        """Accept no more, finish what is in flight, leave within graceful_timeout_s."""
        if self._stop_by:
            return
        self._stop_by = monotonic() + (self._context.settings.gproxy.graceful_timeout_s or NEVER)
        self._cells[self._base + layout.STATE] = layout.STATE_DRAINING
        for acceptor in self._acceptors:
            acceptor.stop()
        self._runtime.drain()

    def stop(self) -> None:
        """Leave at once."""
        self._runtime.leave()
        os._exit(0)

    def _reopen(self) -> None:
        logs.reopen()
        if self._runtime.access_log is not None:
            self._runtime.access_log.reopen()

    def _on_tick(self) -> None:
        self._lag.tick(monotonic())
        self._runtime.deadlines.sweep()
        self._current.check()
        self._runtime.peers.look()
        self._runtime.health.look(self._runtime.snapshot)
        if not self._stop_by and bool(self._cells[layout.DRAINED]) is not self._runtime.draining:
            self._heed_drain()
        self._ticks += 1
        if self._ticks % _TICKS_PER_HEARTBEAT == 0:
            self._cells[self._base + layout.HEARTBEAT] = now_ms()
            self._cells[self._base + layout.LOOP_LAG_US] = self._lag.worst_us
            if self._runtime.termination is not None:
                self._runtime.termination.look()
            self._runtime.count_connections()
            if os.getppid() != self._context.master_pid:
                self.drain()
        if self._stop_by:
            if not self._runtime.clients or monotonic() >= self._stop_by:
                self.stop()
        elif not self._acceptors and self._may_accept():
            self._accept()

    def _heed_drain(self) -> None:
        """Let connections end because somebody drains the node, or keep them again; requests are always served."""
        if self._runtime.draining:
            self._runtime.resume()
        else:
            self._runtime.drain()

    def _may_accept(self) -> bool:
        """A snapshot is in use, or there is nothing to wait for."""
        if self._runtime.snapshot is not None or monotonic() >= self._accept_by:
            return True
        return bool(self._cells[layout.SYNC_STATE] == layout.SYNC_NOTHING)

    def _accept(self) -> None:
        ways_in = zip(self._context.listeners, entrances(self._context.settings), strict=True)
        self._acceptors = [Acceptor(listener, self._runtime, entrance) for listener, entrance in ways_in]
        self._cells[self._base + layout.HEARTBEAT] = now_ms()
        self._cells[self._base + layout.STATE] = layout.STATE_ACCEPTING


def run(context: Context) -> int:
    """Be a worker; called in the child process after the fork."""
    hub.print_exception = logs.stray  # type: ignore[method-assign, assignment]
    try:
        process = Process(context)
    except (OSError, FilterError) as error:
        log.error("the worker cannot start", extra={"reason": error})
        return EXIT_BOOT_FAILED
    return process.run()
