"""From a state of the store to what the workers run: checked whole, written to the snapshot file, announced.

Nothing here forgets the last good configuration: it is replaced by a better one or stays.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gproxy.core.events import Event, Kind, SnapshotCause
from gproxy.core.model import Part, normalised
from gproxy.core.schema import Checked, check
from gproxy.core.shorthand import implied_apis
from gproxy.core.snapshot import LINE_ORDER
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from gproxy.store.base import Key, State
from gproxy.store.snapshot_file import SnapshotError
from gproxy.sync.complaint import Complaint
from gproxy.sync.rows import COUNTED, NoRoom, Rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Content:
    """What a snapshot file holds, or shall hold."""

    revision: int
    lines: Sequence[bytes]


#: What is on disk before the first snapshot.
EMPTY: Final = Content(-1, ())


class Publisher:
    """Writes the snapshot at `path` for the store `source` and announces it in `table`."""

    def __init__(self, path: Path, source: str, table: Table) -> None:
        self._path = path
        self._source = source
        self._cells = table.cells
        self._ring = RingWriter(table, table.slots + layout.RING_SYNC)
        self._checked: Checked | None = None
        self._rendered: dict[Key, tuple[Part, int | None, bytes]] = {}
        self._refused: tuple[int, list[str]] = (-1, [])
        self._pending: Content | None = None
        self._trouble = Complaint("cannot write the snapshot, the last good one stays")
        snapshot_file.tidy(path)
        self._on_disk = self._last_good()
        self._rows = Rows(table, self._on_disk.lines, time.monotonic())
        # A sync that was restarted finds its predecessor's work done.
        self._has_announced = (
            self.has_last_good
            and self._cells[layout.PUBLISHED] > 0
            and self._cells[layout.REVISION] == self._on_disk.revision
        )

    @property
    def has_announced(self) -> bool:
        """Tell whether the workers have something to run."""
        return self._has_announced

    @property
    def has_last_good(self) -> bool:
        """Tell whether there is a snapshot of this store on disk."""
        return self._on_disk is not EMPTY

    @property
    def lines(self) -> Sequence[bytes]:
        """The lines of the snapshot that is published, or will be."""
        return self._on_disk.lines

    def announce_last_good(self) -> None:
        """Let the workers run what is on disk, if that was not done already."""
        if self.has_last_good and not self._has_announced:
            log.warning("serving the last good snapshot", extra={"revision": self._on_disk.revision})
            self._announce(SnapshotCause.LAST_GOOD)

    def offer(self, state: State, now_s: float) -> None:
        """Publish a state of the store if it is valid, and if it is not what is published already."""
        if not state.objects and self._on_disk.lines and state.revision <= self._on_disk.revision:
            # Deleted and made anew, not emptied by somebody: that would be a newer revision.
            log.error(
                "the store is empty, but older than the last good snapshot: that stays until something is written",
                extra={"revision": state.revision, "snapshot": self._on_disk.revision},
            )
            return
        self._checked = check(state.documents(), self._checked)
        if self._checked.problems:
            self._refuse(state.revision, [str(problem) for problem in self._checked.problems])
            return
        try:
            content = Content(state.revision, self._lines(self._checked, now_s))
        except NoRoom as problem:
            self._refuse(state.revision, [str(problem)])
            return
        if content.revision < self._on_disk.revision:
            log.warning(
                "the store went back to an older revision",
                extra={"revision": content.revision, "snapshot": self._on_disk.revision},
            )
        self._pending = content
        self.flush(now_s)

    def flush(self, now_s: float) -> None:
        """Write what is waiting to be written, unless the last attempt failed a moment ago.

        A file that somebody has removed is such a thing: a worker that is replaced would find nothing to run.
        """
        content = self._pending
        if content is None and self.has_last_good and not self._path.exists():
            content = self._on_disk
        if content is None or self._trouble.wait_s(now_s) or not self._write(content, now_s):
            return
        self._pending = None
        if content != self._on_disk or not self._has_announced:
            self._on_disk = content
            self._announce(SnapshotCause.APPLIED)

    def _write(self, content: Content, now_s: float) -> bool:
        """Put the content on disk if it is not there; tell whether it is there now."""
        if content != self._on_disk or not self._path.exists():
            began_s = time.monotonic()
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                snapshot_file.write(self._path, content.revision, self._source, content.lines)
            except OSError as error:
                self._trouble.raise_(f"{self._path}: {error.strerror}", now_s)
                return False
            took_ms = round(1000 * (time.monotonic() - began_s))
            about = {"revision": content.revision, "objects": len(content.lines), "write_ms": took_ms}
            log.info("published", extra=about)
        self._trouble.settle(now_s)
        return True

    def _announce(self, cause: SnapshotCause) -> None:
        self._cells[layout.REVISION] = self._on_disk.revision
        self._cells[layout.PUBLISHED_MS] = time.time_ns() // 1_000_000
        self._cells[layout.PUBLISHED] += 1  # last: workers look at this one
        self._has_announced = True
        self._tell(cause, self._on_disk.revision, len(self._on_disk.lines))

    def _tell(self, cause: SnapshotCause, revision: int, count: int) -> None:
        self._ring.tell(Event(Kind.SNAPSHOT, cause, figures=(revision, count, 0)))

    def _refuse(self, revision: int, problems: list[str]) -> None:
        if (revision, problems) == self._refused:  # read again after an outage
            return
        self._refused = (revision, problems)
        self._cells[layout.SYNC_REJECTED] += 1
        self._tell(SnapshotCause.REJECTED, revision, len(problems))
        log.error(
            "the configuration is refused, the last good one stays",
            extra={"revision": revision, "problems": len(problems)},
        )
        for problem in problems:
            log.error("refused: %s", problem)

    def _lines(self, checked: Checked, now_s: float) -> list[bytes]:
        """Return the lines of the snapshot; an object that has not changed is not rendered again. Raises NoRoom."""
        apis = {**checked.entities["api"], **implied_apis(checked.entities["cluster"])}
        entities_of: dict[str, Mapping[str, Part]] = {**checked.entities, "api": apis}
        counted = [(kind, name) for kind in COUNTED for name in sorted(entities_of[kind])]
        rows = self._rows.assign(counted, now_s)
        rendered: dict[Key, tuple[Part, int | None, bytes]] = {}
        lines = []
        for kind in LINE_ORDER:
            entities = entities_of[kind]
            for name in sorted(entities):
                entity, row = entities[name], rows.get((kind, name))
                known = self._rendered.get((kind, name))
                if known is None or known[0] is not entity or known[1] != row:
                    known = entity, row, snapshot_file.render(kind, normalised(entity), row)
                rendered[kind, name] = known
                lines.append(known[2])
        self._rendered = rendered
        return lines

    def _last_good(self) -> Content:
        if not self._path.exists():
            return EMPTY
        try:
            stored = snapshot_file.read(self._path)
        except SnapshotError as error:
            log.error("the last snapshot cannot be used: %s", error)
            return EMPTY
        if stored.source != self._source:
            log.warning(
                "the last snapshot is of another store and is not used",
                extra={"theirs": stored.source, "ours": self._source},
            )
            return EMPTY
        return Content(stored.revision, stored.lines)
