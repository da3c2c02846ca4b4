"""The monitor's eye on the node: looks once a second, and has ready what the pages of the control endpoint tell."""

import json
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

import gevent
from gevent.hub import get_hub

from gproxy import __version__
from gproxy.monitor.event_log import EventLog
from gproxy.monitor.exposition import Exposition
from gproxy.monitor.figures import Figures
from gproxy.monitor.objects import objects
from gproxy.monitor.sampler import Sampler
from gproxy.monitor.stats import Now
from gproxy.shared.table import Table

LOOK_EVERY_S: Final = 1.0


def breathe() -> None:
    """Let other greenlets run: health checks and questions must not wait for a long look."""
    gevent.sleep(0)


class Watch:
    """Samples, events and their pages for one table; `filters` are the names of the user's own."""

    def __init__(self, table: Table, filters: Sequence[str] = ()) -> None:
        self.sampler = Sampler(table, breathe)
        self.figures = Figures(table, self.sampler, breathe, filters)
        self.events = EventLog(table, lambda: self.sampler.objects, filters)
        self._exposition = Exposition(table, self.sampler, __version__, breathe, filters)

    def follow(self, lines: Sequence[bytes]) -> None:
        """Take the lines of a new snapshot."""
        self.sampler.follow(_in_thread(objects, lines))

    def look_for_ever(self) -> None:
        """Look every second; never returns."""
        due = monotonic()
        while True:
            self.sampler.look()
            self.events.collect()
            due = max(due + LOOK_EVERY_S, monotonic())
            gevent.sleep(due - monotonic())

    def metrics(self, now: Now) -> bytes:
        """Return the answer to /metrics."""
        return self._exposition.text(now)


def as_json(document: dict[str, Any]) -> bytes:
    """Return a document as JSON; a large one is written in a thread."""
    return str(_in_thread(json.dumps, document)).encode("ascii") + b"\n"


def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return get_hub().threadpool.apply(function, arguments)
