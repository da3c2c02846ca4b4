"""Where the configuration comes from: the store, followed through every outage."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from gproxy.store.access import NOBODY, Access
from gproxy.store.base import Key, News, State, Store, Stored, StoreError
from gproxy.store.nodes import Registry
from gproxy.store.open import open_store
from gproxy.sync.adopt import Adopter
from gproxy.sync.complaint import Complaint

log = logging.getLogger(__name__)

#: How long a locked store may hold up signals, and the last good snapshot at a start.
WAIT_S: Final = 0.25

#: The store's state before anything was read from it: no store has a lower revision.
NOTHING: Final = State(-1, {})


class Source:
    """Follows the store at `url` and never gives up.

    With `create`, a store that is not there yet is made at the first success; later a missing store is a
    trouble like any other. What was written by hand is the business of `adopter`. Clock and sleep can be
    replaced for tests.
    """

    def __init__(
        self,
        url: str,
        create: bool,
        access: Access = NOBODY,
        adopter: Adopter | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._create = create
        self._access = access
        self._adopter = adopter
        self._now = now
        self._sleep = sleep
        self._store: Store | None = None
        self._state = NOTHING
        self._trouble = Complaint("cannot follow the store")

    @property
    def is_following(self) -> bool:
        """Tell whether the store answered at the last attempt."""
        return self._store is not None

    @property
    def registry(self) -> Registry | None:
        """The nodes that follow the same store, None while it cannot be reached."""
        return self._store.registry if self._store is not None else None

    def has_news_of_nodes(self) -> bool:
        """Tell whether nodes have said something since the last time this was asked."""
        return self._store is not None and self._store.registry.has_news()

    def poll(self, timeout_s: float) -> State | None:
        """Wait at most `timeout_s` for a state and return it when it may be new, else None.

        (A store that is locked may take `WAIT_S` on top.)
        """
        try:
            if self._store is None:
                wait_s = self._trouble.wait_s(self._now())
                if wait_s:
                    self._sleep(min(wait_s, timeout_s))
                    return None
                return self._open()
            news = self._store.watch(self._state.revision, timeout_s)
            if news is None and self._adopter is not None:
                self._adopter.look(self._store, self._state.revision, self._now())
        except StoreError as error:
            self.close()
            self._trouble.raise_(str(error), self._now())
            return None
        if news is None:
            return None
        self._state = State(news.revision, _updated(self._state.objects, news))
        return self._state

    def close(self) -> None:
        """Leave the store."""
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(StoreError):
                store.close()

    def _open(self) -> State:
        store = open_store(self._url, self._create, WAIT_S, self._access)
        try:
            state = store.read()
        except StoreError:
            store.close()
            raise
        self._store = store
        self._create = False
        self._trouble.settle(self._now())
        log.info("following the store", extra={"store": store.source, "revision": state.revision})
        self._state = State(state.revision, _kept(self._state.objects, state.objects))
        return self._state


def _updated(objects: Mapping[Key, Stored], news: News) -> Mapping[Key, Stored]:
    changed = {stored.key: stored for stored in news.changed}
    if news.is_whole:
        return _kept(objects, changed)
    return {key: stored for key, stored in {**objects, **changed}.items() if key not in news.removed}


def _kept(old: Mapping[Key, Stored], new: Mapping[Key, Stored]) -> Mapping[Key, Stored]:
    """Return the new objects, but the very same old one where the document is equal.

    So a store that was read again from the beginning costs no new checks of what has not changed.
    """
    return {
        key: before if (before := old.get(key)) and before.document == stored.document else stored
        for key, stored in new.items()
    }
