"""The new program's side of an upgrade: it starts all of its processes beside those of the old one, then takes over.

Until then it is a guest: what was handed over still belongs to the old program, and when anything fails this one just
leaves. Its sync and monitor come last, because there may be only one of each: those of the old program end first.
"""

import logging
from typing import Final

from gproxy.core.events import ReloadCause
from gproxy.master.child import send
from gproxy.master.handover import Word
from gproxy.master.node import Node
from gproxy.master.predecessor import Predecessor
from gproxy.shared import layout

log = logging.getLogger(__name__)

_NO_SLOTS: Final[frozenset[int]] = frozenset()


class Takeover:
    """One takeover by `node`.

    `with_memory`: the node has the predecessor's shared memory. `with_pid_file`: and its pid file.
    """

    def __init__(self, node: Node, predecessor: Predecessor, with_memory: bool, with_pid_file: bool) -> None:
        self._node = node
        self._predecessor = predecessor
        self._with_memory = with_memory
        self._with_pid_file = with_pid_file
        self._has_asked = False
        self._has_told = False
        self.is_in_charge = False
        node.private.append(predecessor.channel.fileno())
        if with_memory:
            node.crew.lent = frozenset(range(node.table.slots)) - predecessor.slots
        kept = node.generation.all_listeners()
        self._kept = [place for place, (_, listener) in enumerate(predecessor.listeners) if listener in kept]
        for _, listener in predecessor.listeners:
            if listener not in kept:
                listener.close()
        log.info(
            "starting beside the old program",
            extra={"predecessor": predecessor.pid, "its_version": predecessor.version, "with_memory": with_memory},
        )

    @property
    def pid(self) -> int:
        """The old program."""
        return self._predecessor.pid

    @property
    def is_over(self) -> bool:
        """Tell whether the old program has ended."""
        return self._predecessor.channel.is_closed

    def step(self, now_s: float) -> None:
        """Go on as far as it goes."""
        node, predecessor = self._node, self._predecessor
        predecessor.listen(now_s)
        if self.is_in_charge:
            return
        # Without a configuration in its memory, workers wait for the first word of sync before they accept.
        if not self._has_asked and (not self._with_memory or node.all_accept()):
            predecessor.channel.say(Word.NEED_SIDES)
            self._has_asked = True
        if predecessor.has_left_sides:
            node.want_sides()
        if not self._has_told and node.all_accept() and node.sides_are_up():
            predecessor.channel.say(Word.RUNNING, kept=self._kept, pid_file=self._with_pid_file)
            self._has_told = True
        if self._has_told and predecessor.has_yielded:
            self._take_charge()

    def _take_charge(self) -> None:
        node = self._node
        self._predecessor.channel.say(Word.TAKEN)
        for listener in node.generation.all_listeners():
            listener.is_lent = False
        node.crew.lent = _NO_SLOTS
        try:
            node.pid_file.sign()
        except OSError as error:
            log.error("cannot write the pid file", extra={"file": node.pid_file.path, "reason": error.strerror})
        node.table.cells[layout.UPGRADES] += 1
        node.set_wanted()
        node.tell(ReloadCause.UPGRADED, len(node.generation.workers))
        self.is_in_charge = True

    def fail(self, reason: str) -> None:
        """Tell the old program to go on without this one."""
        self._predecessor.fail([reason])

    def hurry(self, number: int) -> None:
        """Send a signal to the old program if it is still finishing what it had in hand."""
        if self.is_in_charge and not self.is_over:
            send(self.pid, number)

    def close(self) -> None:
        """Forget the old program."""
        self._node.private.remove(self._predecessor.channel.fileno())
        self._predecessor.channel.close()
