"""The present state of a store, followed by a thread: what is shown costs no question to the store."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from gproxy.store.access import Access
from gproxy.store.base import State
from gproxy.sync.sources import NOTHING, Source

log = logging.getLogger(__name__)

#: How soon the thread notices that it shall end.
POLL_S: Final = 0.2
#: How long the first state, and one's own writes, are waited for.
WAIT_S: Final = 5.0

View = TypeVar("View")


class Follower(Generic[View]):
    """Follows the store at `url`; `current` is what `view` makes of its latest state and the one before.

    As long as the store cannot be reached, the last state stays and `away_s` says for how long.
    """

    def __init__(self, url: str, access: Access, view: Callable[[State, View | None], View]) -> None:
        self._source = Source(url, create=True, access=access)
        self._view = view
        self._state = NOTHING
        self._shown = view(NOTHING, None)
        self._seen_s = time.monotonic()
        self._changed = threading.Condition()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)

    def start(self, within_s: float = WAIT_S) -> None:
        """Begin to follow, and wait for the first state; without a store, go on without one."""
        self._thread.start()
        self.wait_for(0, within_s)

    def stop(self) -> None:
        """End the thread."""
        self._is_stopped = True
        self._thread.join()

    @property
    def current(self) -> View:
        """The latest state, as it is looked at."""
        return self._shown

    @property
    def away_s(self) -> float | None:
        """For how long the store has not answered, None while it does."""
        return None if self._source.is_following else time.monotonic() - self._seen_s

    def wait_for(self, revision: int, within_s: float = WAIT_S) -> bool:
        """Wait until the state is of this revision or later; tell whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.revision >= revision, within_s)

    def _follow(self) -> None:
        trouble = ""
        while not self._is_stopped:
            try:
                self._turn()
            except Exception as error:
                # Without this thread, everybody would go on to see the present state for ever, as if it were new.
                if repr(error) != trouble:
                    log.exception("what the store holds cannot be shown")
                trouble = repr(error)
                self._source.close()
                time.sleep(POLL_S)
        self._source.close()

    def _turn(self) -> None:
        """Wait a moment for news, and show it."""
        state = self._source.poll(POLL_S)
        if self._source.is_following:
            self._seen_s = time.monotonic()
        if state is not None:
            shown = self._view(state, self._shown)
            with self._changed:
                self._state, self._shown = state, shown
                self._changed.notify_all()
