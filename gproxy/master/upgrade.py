"""USR2, the old program's side: starts the new program beside this one, hands over to it, or goes on if it fails.

Everything of the new program runs before this one lets go of anything that it could not take back.
"""

import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final

from gproxy import __version__
from gproxy.core.events import ReloadCause
from gproxy.master.child import describe_exit, send
from gproxy.master.handover import PROTOCOL, VARIABLE, Channel, Word
from gproxy.master.node import Node
from gproxy.master.notify import environment_for
from gproxy.master.program import Program
from gproxy.master.signals import HANDLED

log = logging.getLogger(__name__)

#: A new program that does not run after so long never will. (Its own workers have a minute to accept.)
TIMEOUT_S: Final = 90.0
#: How long after its last word a new program may take to end.
_LAST_WORD_S: Final = 1.0
#: What a shell says of a command that it cannot run.
_CANNOT_RUN: Final = 127


class Progress(Enum):
    """How an upgrade stands."""

    GOING_ON = auto()
    HANDED_OVER = auto()
    FAILED = auto()


class Upgrade:
    """One upgrade of `node`. `pid` is the new program's, 0 when there is none (any more) whose end is to be awaited."""

    def __init__(self, node: Node, program: Program) -> None:
        self._node = node
        self._program = program
        self._channel: Channel | None = None
        self._give_up_s = 0.0
        self._leave_by_s: float | None = None
        self._status: int | None = None
        self._is_asked_for_sides = False
        self._has_left_sides = False
        self._last_word: dict[str, Any] = {}
        self._reasons: list[str] = []
        self.pid = 0

    def begin(self, now_s: float) -> None:
        """Start the new program. That it cannot be started shows in the next `step`."""
        node = self._node
        self._give_up_s = now_s + TIMEOUT_S
        node.notifier.reloading("starting the new program")
        try:
            self._channel, theirs = Channel.pair()
            node.private.append(self._channel.fileno())
            with contextlib.closing(theirs):
                self._hand_out_estate(self._channel)
                self.pid = self._fork(theirs)
        except OSError as error:
            self._reasons = [f"cannot start it: {error.strerror}"]
            return
        log.info("upgrade: starting the new program", extra={"new": self.pid, "command": self._program.arguments[0]})

    def _hand_out_estate(self, channel: Channel) -> None:
        """Say what the new program can have. From here on this one leaves the free slots to it."""
        node = self._node
        listeners = node.generation.by_section()
        slots = node.crew.free_slots()
        channel.say(
            Word.ESTATE,
            [*(listener.socket.fileno() for _, listener in listeners), node.table.fd, node.pid_file.fileno()],
            protocol=PROTOCOL,
            version=__version__,
            pid=os.getpid(),
            listeners=[(section, listener.bind, listener.inode) for section, listener in listeners],
            slots=slots,
            side_pids=[side.child.pid for side in node.sides if side.child],
        )
        node.crew.lent = frozenset(slots)

    def _fork(self, channel: Channel) -> int:
        # A signal must find this program's handlers here and the default ones there, and nothing in between.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_the_new_program(channel)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        return pid

    def _become_the_new_program(self, channel: Channel) -> None:
        """Be the child: never returns."""
        try:
            for number in HANDLED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            os.set_inheritable(channel.fileno(), True)
            self._program.become(environment_for(os.getpid()) | {VARIABLE: str(channel.fileno())})
        except OSError as error:
            command = error.filename or self._program.arguments[0]
            channel.say(Word.FAILED, reasons=[f"{command}: {error.strerror}"])
        finally:
            os._exit(_CANNOT_RUN)

    def step(self, now_s: float) -> Progress:
        """Go on as far as it goes."""
        node, channel = self._node, self._channel
        self.tend(now_s)
        while channel and (message := channel.receive()):
            if message.word is Word.NEED_SIDES:
                self._is_asked_for_sides = True
                node.remove_sides(now_s)
            elif message.word is Word.FAILED:
                self._reasons = message.details["reasons"]
            elif message.word is Word.RUNNING:
                self._last_word = message.details
                channel.say(Word.YOURS)
            elif message.word is Word.TAKEN:
                self._let_go(**self._last_word)
                return Progress.HANDED_OVER
        if channel and self._is_asked_for_sides and not self._has_left_sides and node.sides_are_gone():
            self._has_left_sides = True
            channel.say(Word.SIDES)
        if channel and channel.is_closed:
            self._give_up_s = min(self._give_up_s, now_s + _LAST_WORD_S)
        if self._status is not None and not self._reasons:
            self._reasons = [describe_exit(self._status)]
        if self._reasons or now_s > self._give_up_s:
            self._fail(now_s)
            return Progress.FAILED
        return Progress.GOING_ON

    def _let_go(self, kept: Sequence[int], pid_file: bool) -> None:
        """The new program is in charge: what it keeps is not ours any more."""
        node = self._node
        for place, (_, listener) in enumerate(node.generation.by_section()):
            listener.is_lent = place in kept
        if pid_file:
            node.pid_file.hand_over()
        node.notifier.replaced_by(self.pid)
        log.info("the new program has taken over, finishing what is in hand", extra={"new": self.pid})

    def _fail(self, now_s: float) -> None:
        """Go on as if nothing had been."""
        node = self._node
        if self._reasons:  # its workers may have requests in hand
            self.end_by(node.leave_by_s(node.generation, now_s))
        else:
            self._reasons = [f"not up after {TIMEOUT_S:.0f} s"]
            self.send(signal.SIGKILL)
        log.error("upgrade failed, this program goes on", extra={"reason": "; ".join(self._reasons)})
        if self._channel is not None:
            node.private.remove(self._channel.fileno())
            self._channel.close()
        node.crew.lent = frozenset()
        node.want_sides()
        node.tell(ReloadCause.UPGRADE_FAILED, len(node.generation.workers))
        node.say_ready()

    def tend(self, now_s: float) -> None:
        """Take note of the new program's end, and see to it when that is overdue."""
        if not self.pid:
            return
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.pid, self._status = 0, status
        elif self._leave_by_s is not None and now_s > self._leave_by_s:
            self._leave_by_s = None
            self.send(signal.SIGKILL)

    def end_by(self, leave_by_s: float | None) -> None:
        """Kill the new program if it has not ended by then (None: never)."""
        self._leave_by_s = leave_by_s

    def send(self, number: int) -> None:
        """Send the new program a signal."""
        if self.pid:
            send(self.pid, number)
