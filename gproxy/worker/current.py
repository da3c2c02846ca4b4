"""Keeps the worker on the newest published snapshot, loading it beside live traffic in short slices."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from gproxy.core.backends import Timeouts
from gproxy.core.snapshot import Snapshot, SnapshotBuilder, take_apart
from gproxy.filters import hooks_for, load_libraries
from gproxy.shared import layout
from gproxy.store import snapshot_file
from gproxy.worker.aside import aside
from gproxy.worker.turns import Turns

if TYPE_CHECKING:
    from gproxy.worker.runtime import Runtime

log = logging.getLogger(__name__)


class Current:
    """Follows the PUBLISHED cell. `check` is called by the tick; loading happens in a greenlet, while `is_loading`."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        timeouts = runtime.settings.timeouts
        self._runtime = runtime
        self._path = path
        self._defaults = Timeouts(timeouts.connect_s, timeouts.response_s, timeouts.total_s)
        self._turns = Turns(runtime.next_turn)
        extra = [own.for_api for own in runtime.extra]
        self._hooks_for = lambda document: hooks_for(document, extra)
        self._version = 0
        self.is_loading = False

    def check(self) -> None:
        """Start loading when something newer was published."""
        if self._runtime.cells[layout.PUBLISHED] != self._version and not self.is_loading:
            self.is_loading = True
            self._runtime.start_soon(self._load)

    def _load(self) -> None:
        runtime = self._runtime
        cells, base = runtime.cells, runtime.base
        version, before = cells[layout.PUBLISHED], runtime.snapshot
        try:
            # Reading and hashing megabytes would hold the loop: a thread does it.
            stored = aside(snapshot_file.read, self._path)
            aside(load_libraries, stored.lines)
            snapshot = self._build(stored)
        except (snapshot_file.SnapshotError, KeyError, ValueError, TypeError) as error:
            log.error("cannot use the published snapshot, keeping the last one", extra={"reason": repr(error)})
        else:
            runtime.use(snapshot)
            cells[base + layout.RUNNING_REVISION] = snapshot.revision
            cells[base + layout.VERSION] = version
            log.info("snapshot in use", extra={"revision": snapshot.revision, "objects": len(stored.lines)})
            if before is not None:
                self._free(before)
        finally:
            self._version = version
            self.is_loading = False
            gc.enable()

    def _free(self, before: Snapshot) -> None:
        """Let go of the snapshot that was in use before, in slices."""
        self._turns.begin()
        for _ in take_apart(before):
            self._turns.rest_if_due()

    def _build(self, stored: snapshot_file.Stored) -> Snapshot:
        """Build in slices. Nothing here makes cycles, and a full collection over it all would stall the loop."""
        gc.disable()
        builder = SnapshotBuilder(stored.revision, self._defaults, self._hooks_for, self._runtime.snapshot)
        self._turns.begin()
        for line in stored.lines:
            builder.add(line)
            self._turns.rest_if_due()
        snapshot = builder.build()
        gc.freeze()  # never scanned again; freed by reference counting like everything else
        return snapshot
