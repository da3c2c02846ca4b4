"""Follows the published snapshots on behalf of those parts of the monitor that need to know what is configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import gevent
from gevent.hub import get_hub

from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from gproxy.store.snapshot_file import SnapshotError

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.1

#: Takes the lines of a new snapshot.
Taker = Callable[[Sequence[bytes]], None]


class Current:
    """Hands the lines of each new snapshot at `path` to every one of `takers`."""

    def __init__(self, table: Table, path: Path, takers: Sequence[Taker]) -> None:
        self._cells = table.cells
        self._path = path
        self._takers = takers
        self._version = 0

    def follow(self) -> None:
        """Look again and again; never returns."""
        while True:
            self.look()
            gevent.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Hand on what is new; parks the greenlet while a thread reads."""
        version = self._cells[layout.PUBLISHED]
        if version == self._version:
            return
        self._version = version
        try:
            stored = get_hub().threadpool.apply(snapshot_file.read, (self._path,))
            for take in self._takers:
                take(stored.lines)
        except (SnapshotError, KeyError, ValueError, TypeError) as error:
            log.error("cannot use the published snapshot, keeping the last one", extra={"reason": repr(error)})
