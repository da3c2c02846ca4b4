"""Keys for tokens as one process has them: from files, which are looked at again now and then.

What comes from a URL is a file as well: the monitor fetches it for all workers of the node and keeps it, so that keys
are there after a restart even when their server is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Final

from gproxy.core.jwt_keys import BadKey, KeySet
from gproxy.core.key_source import KeySource, fetched_name

log = logging.getLogger(__name__)

#: How often a file is looked at, in seconds.
LOOK_S: Final = 1.0
#: A larger file holds no keys.
_MOST_BYTES: Final = 1 << 20
#: Sources that are remembered: those of old configurations too.
_MOST_SOURCES: Final = 1000
#: The folder of fetched files in the run_dir.
FOLDER: Final = "keys"


@dataclass(slots=True)
class _Entry:
    """What is known of one file: its keys, its state when they were read, when it was looked at, what was wrong."""

    keys: KeySet | None = None
    state: tuple[int, int] | None = None
    looked: float = float("-inf")
    problem: str = ""


class KeyFiles:
    """The keys of one process; `run_dir` is where fetched ones are kept."""

    def __init__(self, run_dir: Path, now: Callable[[], float] = monotonic) -> None:
        self._folder = run_dir / FOLDER
        self._now = now
        self._entries: dict[KeySource, _Entry] = {}
        #: sources whose keys could not be had newer, and until when (monotonic seconds) nobody need try again
        self.hopeless: dict[KeySource, float] = {}

    def get(self, source: KeySource, at_once: bool = False) -> KeySet | None:
        """Return the keys of a source, looked at lately or `at_once`; None when there have never been any."""
        entry = self._entries.get(source)
        if entry is None:
            if len(self._entries) >= _MOST_SOURCES:
                self._entries.clear()
                self.hopeless.clear()
            entry = self._entries[source] = _Entry()
        now = self._now()
        if at_once or now - entry.looked >= LOOK_S:
            entry.looked = now
            self._look(source, entry)
        return entry.keys

    def age_s(self, source: KeySource) -> float:
        """Return how long ago the file of a source was written, inf when it is not there."""
        try:
            return max(0.0, time() - self._path(source).stat().st_mtime)
        except OSError:
            return float("inf")

    def _path(self, source: KeySource) -> Path:
        return self._folder / fetched_name(source.url) if source.url else Path(source.file)

    def _look(self, source: KeySource, entry: _Entry) -> None:
        """Read the file if it is another one than before; one that cannot be used leaves the keys as they are."""
        path, problem = self._path(source), ""
        try:
            status = path.stat()
            state = status.st_mtime_ns, status.st_ino
            if state == entry.state:
                return
            with path.open("rb") as file:
                entry.keys = source.read(file.read(_MOST_BYTES))
            entry.state = state
        except BadKey as error:
            entry.state, problem = state, str(error)
        except OSError as error:
            problem = "" if source.url else str(error)  # what is fetched may not be there yet
        if problem != entry.problem:
            entry.problem = problem
            if problem:
                log.error("keys cannot be used", extra={"file": path, "reason": problem})
