"""Nodes that shall take no more traffic: people say so here, and the nodes learn it from the store."""

import logging

from gadmin.configuration.stores import Stores
from gproxy.store import draining
from gproxy.store.base import StoreError
from gproxy.store.nodes import Drain

log = logging.getLogger(__name__)


class Draining:
    """The wishes in the store at `stores`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def wishes(self) -> dict[str, Drain]:
        """Return by id which nodes shall drain; nothing while the store is away."""
        try:
            with self._stores.use() as store:
                return store.registry.drains()
        except StoreError:
            return {}

    def registered(self) -> frozenset[str]:
        """Return the ids of the nodes that would learn of a wish; nothing while the store is away."""
        try:
            with self._stores.use() as store:
                return frozenset(node.id for node in store.registry.nodes())
        except StoreError:
            return frozenset()

    def wish(self, node: str, author: str) -> None:
        """Let a node drain. Raises NoSuchNode for one that is not registered, StoreError."""
        with self._stores.use() as store:
            draining.wish(store.registry, node, author)
        log.info("a node shall drain", extra={"node": node, "author": author})

    def withdraw(self, node: str, author: str) -> None:
        """Let a node take traffic again. Raises NoSuchNode for one that nobody drains, StoreError."""
        with self._stores.use() as store:
            draining.withdraw(store.registry, node)
        log.info("a node shall take traffic again", extra={"node": node, "author": author})
