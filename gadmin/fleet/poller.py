"""Asks one node once a second, in a thread of its own, for as long as somebody looks."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from gadmin.fleet.reading import Document, Reading
from gadmin.fleet.timeline import SECONDS, Timeline
from gproxy.ctl.node import Node, NodeError

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
#: So long after the last question nobody looks any more.
INTEREST_S: Final = 15.0
#: How many of the latest seconds are asked for: as many as may have been missed between two answers.
OVERLAP: Final = 10

#: What figures are made of.
_SHAPE: Final = {"totals": dict, "figures": dict, "history": dict, "workers": list, "apis": list, "servers": list}

Listener = Callable[[str, Document], None]


class Poller:
    """The node `name` at `address`; `listen` is told each answer to /events. Raises BadAddress."""

    def __init__(self, name: str, address: str, timeout_s: float, listen: Listener) -> None:
        self.id = name
        self.address = address
        self.timeline = Timeline()
        self._node = Node(address)
        self._timeout_s = timeout_s
        self._listen = listen
        self._told: Document | None = None
        self._told_s = 0.0
        self._trouble = ""
        self._event = 0
        self._hearing = threading.Lock()
        self._until_s = 0.0
        self._is_stopped = False
        self._state = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"poller {address}", daemon=True)

    def start(self) -> None:
        """Begin; nothing is asked before somebody looks."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread soon; it is not waited for, it may hang on a dead node."""
        with self._state:
            self._is_stopped = True
            self._state.notify_all()

    def look(self) -> None:
        """Say that somebody looks: for a while, the node is asked."""
        with self._state:
            self._until_s = time.monotonic() + INTEREST_S
            self._state.notify_all()

    def reading(self) -> Reading:
        """Return what is known now."""
        with self._state:
            return Reading(self.id, self.address, self._told, time.monotonic() - self._told_s, self._trouble)

    def wait(self, deadline: float) -> None:
        """Wait until the node has answered lately, or has failed to."""
        with self._state:
            while self._told is None or time.monotonic() - self._told_s > 2 * EVERY_S:
                left = deadline - time.monotonic()
                if left <= 0 or self._is_stopped or (self._told is None and self._trouble):
                    return
                self._state.wait(left)

    def ask(
        self, path: str, within_s: float | None = None, question: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask the node something else, in the caller's thread. Raises NodeError."""
        return self._node.ask(path, within_s or self._timeout_s, question)

    def hear(self) -> None:
        """Ask the node what has happened since it was asked last, and pass that on. Raises NodeError."""
        with self._hearing:
            heard = self._node.ask(f"/events?since={self._event}", self._timeout_s)
            self._event = int(heard["last"])
            self._listen(self.id, heard)

    def _run(self) -> None:
        while True:
            with self._state:
                while not self._is_stopped and time.monotonic() > self._until_s:
                    self._state.wait()
                if self._is_stopped:
                    return
            began_s = time.monotonic()
            self._poll()
            with self._state:
                if not self._is_stopped:
                    self._state.wait_for(lambda: self._is_stopped, began_s + EVERY_S - time.monotonic())

    def _poll(self) -> None:
        seconds = SECONDS if not self.timeline.rows else OVERLAP + int(time.monotonic() - self._told_s)
        try:
            told = self._node.ask(f"/stats?objects=busy&buckets=true&seconds={seconds}", self._timeout_s)
            _check(told)
            self.timeline.add(told["history"], int(time.time()))
            self.hear()
            trouble = ""
        except NodeError as error:
            told, trouble = None, str(error)
        except (KeyError, TypeError, ValueError) as error:
            told, trouble = None, f"the node at {self.address} answered what this admin does not understand: {error!r}"
        with self._state:
            if trouble and not self._trouble:
                log.warning("a node does not answer", extra={"address": self.address, "reason": trouble})
            elif self._trouble and not trouble:
                log.info("a node answers", extra={"address": self.address})
            self._trouble = trouble
            if told is not None:
                self._told, self._told_s = told, time.monotonic()
            self._state.notify_all()


def _check(told: Document) -> None:
    """Raise KeyError or TypeError for figures that could not be added to those of others: all pages show the sum."""
    for key, kind in _SHAPE.items():
        if not isinstance(told[key], kind):
            raise TypeError(f"{key} is no {kind.__name__}")
    for item in (*told["workers"], *told["apis"], *told["servers"]):
        if not isinstance(item, dict):
            raise TypeError("an entry is no dict")
    for item in (*told["apis"], *told["servers"]):
        if not isinstance(item["name"], str):
            raise TypeError("a name is no text")
