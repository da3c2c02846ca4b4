"""The nodes of an etcd store: a key each, under a lease that ends when the node does."""

import json

from gproxy.store import etcd_client as client
from gproxy.store.etcd_layout import Layout
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.nodes import LEFT_S, TTL_S, Node, Registry


class EtcdRegistry(Registry):
    """The records below PREFIX/.nodes/."""

    def __init__(self, link: EtcdLink, layout: Layout) -> None:
        self._link = link
        self._folder = layout.nodes
        self._leases: dict[str, int] = {}
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
        lease = self._leases.pop(node.id, 0)
        if node.has_left or not (lease and self._link.renew(lease)):
            lease = self._link.grant(int(LEFT_S if node.has_left else TTL_S))
        value = json.dumps(node.document()).encode("ascii")
        self._link.transact((), [client.put(self._folder + node.id, value, lease)])
        self._leases[node.id] = lease

    def records(self) -> list[Node]:
        """Return the records whose leases have not ended."""
        pairs, _ = self._link.get(self._folder, client.end_of(self._folder))
        found = (_parsed(pair.value) for pair in pairs)
        return [node for node in found if node is not None]


def _parsed(value: bytes) -> Node | None:
    try:
        return Node.of(json.loads(value))
    except ValueError:
        return None
