"""HUP: a complete new generation of workers beside the running one, which is dismissed when the new one accepts.

So a reload can fail at any point without harm: the old generation has not noticed anything.
"""

import logging
from collections.abc import Callable

from gproxy.core.events import ReloadCause
from gproxy.master.crew import Place
from gproxy.master.generation import Generation, Unlistenable
from gproxy.master.node import NO_PROCESS, Node
from gproxy.settings import Settings, SettingsError
from gproxy.shared import layout

log = logging.getLogger(__name__)


class Reload:
    """Reloads of one node. `load` reads the settings again."""

    def __init__(self, node: Node, load: Callable[[], Settings]) -> None:
        self._node = node
        self._load = load

    @property
    def is_going_on(self) -> bool:
        """Tell whether a new generation is being started."""
        return self._node.next is not None

    def begin(self) -> bool:
        """Read the settings again and start a generation of workers with them; return False to try later."""
        node = self._node
        try:
            settings = node.keep_run_dir(self._load())
            workers = settings.gproxy.workers
            if workers > node.most_workers():
                raise SettingsError(
                    [f"[gproxy] workers: a running gproxy takes at most {node.most_workers()}, restart it"]
                )
            if not node.finds_room(workers, "reload"):
                return False
            node.next = Generation.open(settings, before=node.generation)
        except (SettingsError, Unlistenable) as error:
            for problem in error.problems:
                log.error(problem)
            log.error("reload refused, the old settings stay", extra={"problems": len(error.problems)})
            node.tell(ReloadCause.REFUSED, len(error.problems))
            return True
        node.crew.places += node.next.workers
        log.info("reload: settings are good, starting new workers", extra={"workers": workers})
        node.notifier.reloading("reloading")
        return True

    def step(self, now_s: float) -> None:
        """Make the new generation the only one when all of it accepts; nothing can fail any more."""
        node = self._node
        old, new = node.generation, node.next
        if new is None:
            return
        if any(place.failures for place in new.workers):
            self.abandon(NO_PROCESS, now_s)
            return
        if not node.all_accept(new):
            return
        node.generation, node.next = new, None
        node.let_go(old, old.workers, now_s)
        old.close_unless_in(new)
        node.log_as_told(new.settings)
        node.renew_sides(now_s)
        node.table.cells[layout.GENERATION] += 1
        node.set_wanted()
        node.tell(ReloadCause.DONE, len(new.workers))
        node.announce("reloaded")

    def concerns(self, place: Place) -> bool:
        """Tell whether a place is one of the new generation."""
        return self._node.next is not None and place in self._node.next.workers

    def abandon(self, reason: str, now_s: float) -> None:
        """Give up a reload whose workers do not start; those that accept already may have requests in hand."""
        node = self._node
        new, node.next = node.next, None
        if new is None:
            return
        log.error("reload failed, the old settings and workers stay", extra={"reason": reason})
        node.let_go(new, new.workers, now_s)
        new.close_unless_in(node.generation)
        node.tell(ReloadCause.FAILED, len(new.workers))
        node.say_ready()
