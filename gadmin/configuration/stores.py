"""Connections to one store: each thread has its own, opened at its first use and again after a failure."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gproxy.store.access import Access
from gproxy.store.base import Conflict, Store, StoreError, UnknownRevision
from gproxy.store.draining import NoSuchNode
from gproxy.store.open import open_store


class Stores:
    """Connections to the store at `url`, which is made when it is not there yet."""

    def __init__(self, url: str, access: Access) -> None:
        self.url = url
        self._access = access
        self._local = threading.local()

    @contextmanager
    def use(self) -> Iterator[Store]:
        """Give this thread's connection. Raises StoreError; after one that tells of a failure, it is opened anew."""
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            store = self._local.store = open_store(self.url, create=True, access=self._access)
        try:
            yield store
        except (Conflict, UnknownRevision, NoSuchNode):
            raise  # an answer, no failure
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection of this thread."""
        store, self._local.store = getattr(self._local, "store", None), None
        if store is not None:
            with contextlib.suppress(StoreError):
                store.close()
