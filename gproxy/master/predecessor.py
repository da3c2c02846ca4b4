"""The program that this one is to replace: what it hands over, and what it says."""

import logging
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from gproxy.master.child import is_running
from gproxy.master.handover import PROTOCOL, Channel, Message, Word
from gproxy.master.listen import Listener
from gproxy.master.node import SIDE_LEAVE_S, most_workers
from gproxy.shared.table import Table, TableError

log = logging.getLogger(__name__)

#: The estate lies in the channel before the new program is started.
_ESTATE_WITHIN_S: Final = 5.0


class NoEstate(Exception):
    """This program was started to replace another one, but that hands nothing over; the text is one line."""


@dataclass(slots=True)
class Predecessor:
    """The old program. `listeners` come with the sections of the INI that asked for them; `slots` are ours to use.

    `has_left_sides`: its sync and monitor have ended. `has_yielded`: this program is in charge.
    """

    channel: Channel
    pid: int
    version: str
    listeners: list[tuple[str, Listener]]
    slots: frozenset[int]
    side_pids: tuple[int, ...]
    table_fd: int
    pid_file_fd: int
    has_left_sides: bool = False
    has_yielded: bool = False
    gone_s: float = 0.0

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return the program that started this one to be replaced, None when nobody did. Raises NoEstate."""
        channel = Channel.from_environment()
        if channel is None:
            return None
        give_up_s = time.monotonic() + _ESTATE_WITHIN_S
        while (message := channel.receive()) is None:
            if channel.is_closed or time.monotonic() > give_up_s:
                channel.close()
                raise NoEstate("the program that started this one hands nothing over")
            time.sleep(0.01)
        protocol = message.details.get("protocol")
        if protocol != PROTOCOL:
            reason = f"the old program hands over in way {protocol}, the new one takes over in way {PROTOCOL}: restart"
            channel.say(Word.FAILED, reasons=[reason])
            channel.close()
            raise NoEstate(reason)
        return cls._inheriting(channel, message)

    @classmethod
    def _inheriting(cls, channel: Channel, message: Message) -> Self:
        details, fds = message.details, list(message.descriptors)
        listeners = []
        for section, bind, inode in details["listeners"]:
            sock = socket.socket(fileno=fds.pop(0))
            sock.setblocking(False)
            listeners.append((section, Listener(bind, sock, inode, is_lent=True)))
        table_fd, pid_file_fd = fds
        return cls(
            channel,
            details["pid"],
            details["version"],
            listeners,
            frozenset(details["slots"]),
            tuple(details["side_pids"]),
            table_fd,
            pid_file_fd,
        )

    def table(self, workers: int) -> Table | None:
        """Return the shared memory of the old program if this one can go on with it; else say so and return None."""
        try:
            table = Table.attach(self.table_fd)
        except (TableError, OSError) as error:
            reason = str(error)
            os.close(self.table_fd)
        else:
            if workers <= min(most_workers(table), len(self.slots)):
                return table
            reason = f"it has no room for {workers} workers more"
            table.close()
        log.warning("the shared memory is not taken over: counters, circuits and limits begin anew: %s", reason)
        return None

    def listen(self, now_s: float) -> None:
        """Take in what the old program has said; that it has died says everything."""
        while message := self.channel.receive():
            self.has_left_sides |= message.word in (Word.SIDES, Word.YOURS)
            self.has_yielded |= message.word is Word.YOURS
        if not self.channel.is_closed:
            return
        if not self.gone_s:
            self.gone_s = now_s
            if not self.has_yielded:
                log.warning("the old program has died, this one goes on alone", extra={"predecessor": self.pid})
        self.has_yielded = True
        # Its sync and monitor leave when they notice that they are alone.
        self.has_left_sides |= now_s - self.gone_s > SIDE_LEAVE_S or not any(map(is_running, self.side_pids))

    def fail(self, problems: Sequence[str]) -> bool:
        """Leave it to the old program to go on, and to say why; False when there is nobody to do that."""
        self.listen(time.monotonic())
        if self.has_yielded:
            return False
        self.channel.say(Word.FAILED, reasons=list(problems))
        return True
