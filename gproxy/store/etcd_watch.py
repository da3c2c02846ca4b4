"""One stream of events from etcd, read by a thread, that wakes up who waits.

The events are only a reason to look: what is new is read, and a look is taken now and then without any event. So a
stream that has died unnoticed, or a server that was restarted with an older state, costs a moment and never a change.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gproxy.store import etcd_client as client
from gproxy.store.base import StoreError
from gproxy.store.etcd_layout import Layout
from gproxy.store.etcd_link import EtcdLink

#: How long the end of a stream may keep its thread.
_JOIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """What has been touched: the store itself, the nodes, and objects by their keys in etcd (by hand)."""

    store: bool = False
    nodes: bool = False
    by_hand: frozenset[str] = frozenset()


class EtcdWatch:
    """Follows everything below the prefix from etcd's `revision` on, at the endpoint that answered last."""

    def __init__(self, link: EtcdLink, layout: Layout, revision: int) -> None:
        self.endpoint = link.endpoint
        self._layout = layout
        self._alarms: queue.SimpleQueue[Alarm | None] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._has_ended = False
        everything = layout.everything
        self._requests.put(
            client.rpc.WatchRequest(
                create_request=client.rpc.WatchCreateRequest(
                    key=everything.encode(), range_end=client.end_of(everything).encode(), start_revision=revision
                )
            )
        )
        self._stream: Any = None
        try:
            self._stream = link.watch(self._asked())
        except (client.RpcError, StoreError):
            self._has_ended = True
            return
        self._thread = threading.Thread(target=self._read, name="etcd-watch", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Tell whether no more events will come."""
        return self._has_ended

    def wait(self, timeout_s: float) -> Alarm | None:
        """Wait for events, and return all that have come; None after `timeout_s`, or when the stream has ended."""
        touched: list[Alarm] = []
        while not self._has_ended:
            try:
                alarm = self._alarms.get(timeout=0 if touched else max(0.0, timeout_s))
            except queue.Empty:
                break
            if alarm is None:
                self._has_ended = True
                break
            touched.append(alarm)
        if not touched:
            return None
        by_hand = frozenset[str]().union(*(alarm.by_hand for alarm in touched))
        return Alarm(any(alarm.store for alarm in touched), any(alarm.nodes for alarm in touched), by_hand)

    def close(self) -> None:
        """End the stream and its thread."""
        self._has_ended = True
        self._requests.put(None)
        if self._stream is not None:
            self._stream.cancel()
            self._thread.join(_JOIN_S)

    def _asked(self) -> Iterator[Any]:
        """Yield the requests of the stream, which stays open until there is a None."""
        while (request := self._requests.get()) is not None:
            yield request

    def _read(self) -> None:
        try:
            for response in self._stream:
                if response.canceled:  # compacted, or no permission: reading again tells which
                    return
                if response.events:
                    self._alarms.put(self._alarm(response.events))
        except client.RpcError:
            return  # the next look tells what is wrong
        finally:
            self._alarms.put(None)
            self._requests.put(None)

    def _alarm(self, events: Any) -> Alarm:
        """Return what these events touch; objects that were touched together with the store's own keys are ours."""
        layout = self._layout
        ours: set[int] = set()
        objects: list[tuple[int, str]] = []
        nodes = False
        for event in events:
            key = event.kv.key.decode("utf-8", "replace")
            if key.startswith(layout.own):
                ours.add(event.kv.mod_revision)
            elif key.startswith((layout.nodes, layout.drains)):
                nodes = True
            else:
                objects.append((event.kv.mod_revision, key))
        return Alarm(bool(ours), nodes, frozenset(key for revision, key in objects if revision not in ours))
