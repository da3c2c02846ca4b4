"""All nodes together, as pages and the REST interface see them."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from gadmin.fleet import merge
from gadmin.fleet.events import FleetEvents
from gadmin.fleet.poller import Poller
from gadmin.fleet.reading import Reading
from gadmin.fleet.timeline import SECONDS, Timeline, merged
from gproxy.ctl.node import BadAddress, NodeError
from gproxy.store.base import StoreError
from gproxy.store.nodes import Node

log = logging.getLogger(__name__)

#: How old a rendered answer may be: 50 viewers cost no more than one.
FRESH_S: Final = 1.0
#: Seconds of history in an answer that only brings a page up to date.
TAIL: Final = 15
#: How often the store is asked which nodes there are.
_DISCOVER_S: Final = 1.0
#: A node that is not registered any more is shown as down for so long.
_REMEMBER_S: Final = 600.0
#: Questions to nodes at a time, besides those of pollers.
_AT_A_TIME: Final = 16
#: How long an answer to a question of a person is waited for.
QUESTION_S: Final = 5.0
#: How long a check is waited for that a person wants now: a server may take its time to answer.
CHECK_S: Final = 15.0
#: Rendered answers that are kept.
_MOST_CACHED: Final = 64


class UnknownNode(Exception):
    """There is no node with that id."""


@dataclass(slots=True, eq=False)
class _Kept:
    """A rendered answer and when it was made (monotonic)."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    made_s: float = float("-inf")
    content: bytes = b""


class Fleet:
    """The nodes that `registered` lists, and those whose control endpoints are at `extra` addresses."""

    def __init__(self, registered: Callable[[], Sequence[Node]], extra: Sequence[str], timeout_s: float) -> None:
        self.events = FleetEvents()
        self._registered = registered
        self._extra = extra
        self._timeout_s = timeout_s
        self._pollers: dict[str, Poller] = {}
        self._seen_s: dict[str, float] = {}
        self._discovered_s = -_DISCOVER_S
        self._pool = ThreadPoolExecutor(_AT_A_TIME, "fleet")
        self._cache: dict[tuple[str, ...], _Kept] = {}
        self._lock = threading.Lock()
        self._discovery = threading.Lock()

    def stop(self) -> None:
        """End all pollers."""
        for poller in self._pollers.values():
            poller.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def pollers(self) -> list[Poller]:
        """Return the pollers of all nodes that are known, by their ids; new nodes get theirs."""
        with self._discovery:
            now_s = time.monotonic()
            if now_s - self._discovered_s >= _DISCOVER_S:
                self._discovered_s = now_s
                self._discover(now_s)
            return sorted(self._pollers.values(), key=lambda poller: poller.id)

    def _discover(self, now_s: float) -> None:
        found = {address: address for address in self._extra}
        try:
            found |= {node.control: node.id for node in self._registered() if node.control}
        except StoreError:  # the store is away: the nodes are those of before
            found |= {poller.address: poller.id for poller in self._pollers.values()}
        for address, name in found.items():
            self._seen_s[address] = now_s
            try:
                if address not in self._pollers:
                    self._pollers[address] = Poller(name, address, self._timeout_s, self.events.hear)
                    self._pollers[address].start()
            except BadAddress as error:
                log.warning("a node cannot be asked", extra={"node": name, "reason": error})
        for address in [address for address in self._pollers if now_s - self._seen_s[address] > _REMEMBER_S]:
            self._pollers.pop(address).stop()

    def readings(self) -> list[Reading]:
        """Return what is known of each node, asking those that nobody has looked at for a while."""
        return [poller.reading() for poller in self._looked_at()]

    def _looked_at(self) -> list[Poller]:
        pollers = self.pollers()
        for poller in pollers:
            poller.look()
        deadline = time.monotonic() + self._timeout_s
        for poller in pollers:
            poller.wait(deadline)
        return pollers

    def document(self, history_s: int = TAIL) -> dict[str, Any]:
        """Return the whole fleet, with the last seconds of history."""
        pollers = self._looked_at()
        readings = [poller.reading() for poller in pollers]
        return {
            "time_ms": time.time_ns() // 1_000_000,
            "nodes": merge.nodes(readings),
            **merge.figures(readings),
            "apis": merge.objects(readings, "apis"),
            "servers": merge.objects(readings, "servers"),
            # The present second is not over, and the last one may still be under way to us.
            "history": merged([poller.timeline for poller in pollers], int(time.time()) - 2, history_s)
            if history_s
            else None,
        }

    def rendered(self, is_whole: bool) -> bytes:
        """Return `document` as JSON, with all of the history or its tail; made at most once a second."""
        return self._cached(("fleet", str(is_whole)), lambda: self.document(SECONDS if is_whole else TAIL))

    def rendered_object(self, kind: str, name: str) -> bytes:
        """Return one server, API or worker's node as JSON, with its history on all nodes."""
        return self._cached((kind, name), lambda: self.object(kind, name))

    def rendered_node(self, node: str) -> bytes:
        """Return one node as JSON, with its history. Raises UnknownNode."""
        return self._cached(("node", node), lambda: self.one(node))

    def one(self, node: str) -> dict[str, Any]:
        """Return one node, and its last ten minutes. Raises UnknownNode."""
        for poller in self._looked_at():
            if poller.id == node:
                history = merged([poller.timeline], int(time.time()) - 2, SECONDS)
                return {"nodes": merge.nodes([poller.reading()]), "history": history}
        raise UnknownNode(f"there is no node {node}")

    def object(self, kind: str, name: str) -> dict[str, Any]:
        """Return one server or API added up over the nodes (None: nobody tells of it), and its last ten minutes."""
        answers = self.ask_all(f"/stats?history=all&objects=none&buckets=true&{kind}={quote(name)}")
        second = int(time.time())
        timelines, items = [], {}
        for node, told in answers.items():
            for item in told.get(f"{kind}s", ()) if isinstance(told, dict) else ():
                items[node] = item
                if item["history"]:
                    timelines.append(Timeline())
                    timelines[-1].add(item["history"], second)
        short = {
            node: {key: item[key] for key in item if key not in ("history", "buckets")} for node, item in items.items()
        }
        return {
            "merged": merge.added(name, list(items.values())) if items else None,
            "nodes": short,
            "history": merged(timelines, second - 1, SECONDS),
        }

    def health(self, name: str) -> dict[str, dict[str, Any] | NodeError]:
        """Return what each node's health check says of a server."""
        return self.ask_all(f"/health?server={quote(name)}")

    def check_now(self, name: str) -> dict[str, dict[str, Any] | NodeError]:
        """Have every node check a server at once, and return what its health check says then.

        What that has changed is among the events already.
        """
        told = self.ask_all("/check", CHECK_S, {"server": name})

        def hear(poller: Poller) -> None:
            with suppress(NodeError, KeyError, TypeError, ValueError):  # the next poll asks again
                poller.hear()

        list(self._pool.map(hear, self.pollers()))
        return told

    def ask_all(
        self, path: str, within_s: float | None = None, question: Mapping[str, Any] | None = None
    ) -> dict[str, dict[str, Any] | NodeError]:
        """Ask every node at once; return by its id what it says, or the error of one that does not in time."""

        def ask(poller: Poller) -> dict[str, Any] | NodeError:
            try:
                return poller.ask(path, within_s, question)
            except NodeError as error:
                return error

        pollers = self.pollers()
        return {poller.id: answer for poller, answer in zip(pollers, self._pool.map(ask, pollers), strict=True)}

    def ask_one(self, node: str, path: str, question: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the node with this id ("": any that answers). Raises UnknownNode, NodeError."""
        pollers = [poller for poller in self.pollers() if node in ("", poller.id)]
        if not pollers:
            raise UnknownNode(f"there is no node {node}" if node else "there is no node")
        # One that answers comes first.
        pollers.sort(key=lambda poller: poller.reading().state != "ok")
        return pollers[0].ask(path, QUESTION_S, question)

    def _cached(self, key: tuple[str, ...], make: Callable[[], dict[str, Any]]) -> bytes:
        with self._lock:
            known = self._cache.pop(key, None)
            kept = self._cache[key] = _Kept() if known is None else known
            if len(self._cache) > _MOST_CACHED:
                del self._cache[next(iter(self._cache))]  # the one that nobody has asked for the longest
        with kept.lock:  # one makes it, the others wait for what it has made; who wants something else does not
            if time.monotonic() - kept.made_s > FRESH_S:
                kept.content = json.dumps(make(), separators=(",", ":")).encode()
                kept.made_s = time.monotonic()
            return kept.content
