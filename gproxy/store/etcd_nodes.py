"""The nodes of an etcd store: a key each, under a lease that ends when the node does."""

import json
import time
from typing import Final

from gproxy.store import etcd_client as client
from gproxy.store.etcd_layout import Layout
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.nodes import LEFT_S, TTL_S, Drain, Node, Registry

#: A lease is renewed when it is so old: records are written more often than that.
RENEW_S: Final = TTL_S / 4


class EtcdRegistry(Registry):
    """The records below PREFIX/.nodes/, the wishes to drain below PREFIX/.drains/."""

    def __init__(self, link: EtcdLink, layout: Layout) -> None:
        self._link = link
        self._folder = layout.nodes
        self._drains = layout.drains
        self._leases: dict[str, tuple[int, float]] = {}  # and when it was renewed last
        self._has_news = False

    def note(self) -> None:
        """Note that some record was written."""
        self._has_news = True

    def has_news(self) -> bool:
        """Tell whether a record was written since the last time this was asked."""
        has_news, self._has_news = self._has_news, False
        return has_news

    def announce(self, node: Node) -> None:
        """Put the record of a node under its lease, or a new one when that has ended."""
        lease, renewed_s = self._leases.pop(node.id, (0, 0.0))
        now_s = time.monotonic()
        if node.has_left or not lease:
            lease = 0
        elif now_s - renewed_s > RENEW_S:
            lease, renewed_s = (lease if self._link.renew(lease) else 0), now_s
        value = json.dumps(node.document()).encode("ascii")
        if not lease or not self._put(node, value, lease):
            lease, renewed_s = self._link.grant(int(LEFT_S if node.has_left else TTL_S)), now_s
            self._put(node, value, lease)
        self._leases[node.id] = lease, renewed_s

    def _put(self, node: Node, value: bytes, lease: int) -> bool:
        """Write a record; tell whether its lease was still there."""
        try:
            self._link.transact((), [client.put(self._folder + node.id, value, lease)])
        except client.NoLease:
            return False
        return True

    def records(self) -> list[Node]:
        """Return the records whose leases have not ended."""
        pairs, _ = self._link.get(self._folder, client.end_of(self._folder))
        found = (_parsed(pair.value) for pair in pairs)
        return [node for node in found if node is not None]

    def drains(self) -> dict[str, Drain]:
        """Return the wishes that can be read."""
        pairs, _ = self._link.get(self._drains, client.end_of(self._drains))
        found = ((pair.key.removeprefix(self._drains), Drain.parse(pair.value)) for pair in pairs)
        return {node: wish for node, wish in found if wish is not None}

    def drain(self, node: str, wish: Drain | None) -> None:
        """Put the key of a wish, or delete it."""
        key = self._drains + node
        self._link.transact((), [client.put(key, wish.rendered().encode("ascii")) if wish else client.delete(key)])


def _parsed(value: bytes) -> Node | None:
    try:
        return Node.of(json.loads(value))
    except (ValueError, RecursionError):
        return None
