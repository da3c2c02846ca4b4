"""What two masters say to each other while one replaces the other, and the sockets and files that change hands.

They talk in JSON over a pair of unix sockets, whose end also tells that the other one has died. In this order:

    old: ESTATE      everything that can be inherited, with its descriptors
    new: NEED_SIDES  it is time for my sync and monitor: end yours
    old: SIDES       they have ended
    new: RUNNING     all my processes run; `kept` are the sockets that I go on with
    old: YOURS       you may be in charge
    new: TAKEN       I am: only now the old one lets go

or at any time before RUNNING, new: FAILED, with the reasons. A new one that ends before TAKEN has failed; an old one
that ends has said everything.
"""

import array
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

#: Raised by a change of what the words mean: programs that disagree do not replace each other.
PROTOCOL: Final = 1
#: Names in the environment of the new program the descriptor of its end.
VARIABLE: Final = "GPROXY_HANDOVER"
#: The kernel passes no more descriptors at a time (SCM_MAX_FD).
MOST_DESCRIPTORS: Final = 253
_LONGEST: Final = 1 << 17


class Word(StrEnum):
    """What a message is about."""

    ESTATE = "estate"
    NEED_SIDES = "need_sides"
    SIDES = "sides"
    RUNNING = "running"
    YOURS = "yours"
    TAKEN = "taken"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `descriptors` came along and are the receiver's now."""

    word: Word
    details: dict[str, Any]
    descriptors: tuple[int, ...] = ()


class Channel:
    """One end of the pair. `is_closed`: the other one is gone, and everything that it said was received."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.setblocking(False)
        self.is_closed = False

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return two ends. Raises OSError."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return the end that this program was started with, None if it was started in the usual way."""
        text = os.environ.pop(VARIABLE, "")
        if not text.isdigit():
            return None
        try:
            sock = socket.socket(fileno=int(text))
        except OSError:  # the variable of somebody else's start
            return None
        if (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            sock.detach()
            return None
        sock.set_inheritable(False)
        return cls(sock)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def say(self, word: Word, descriptors: Sequence[int] = (), **details: Any) -> None:
        """Send a message. One to somebody who is gone is lost: `receive` tells. Raises OSError for any other reason."""
        data = json.dumps([word, details]).encode("ascii")
        try:
            socket.send_fds(self._socket, [data], list(descriptors))
        except (BrokenPipeError, ConnectionError):
            return

    def receive(self) -> Message | None:
        """Return the next message, None when there is none yet or any more."""
        numbers = array.array("i")
        try:
            data, ancillary = self._receive()
        except BlockingIOError:
            return None
        if not data:
            self.is_closed = True
            return None
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
        word, details = json.loads(data)
        return Message(Word(word), details, tuple(numbers))

    def _receive(self) -> tuple[bytes, list[tuple[int, int, bytes]]]:
        """Return the data and ancillary data of the next message, empty at the end. Raises BlockingIOError."""
        space = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)
        for _ in range(2):
            try:
                return self._socket.recvmsg(_LONGEST, space, socket.MSG_CMSG_CLOEXEC)[:2]
            except ConnectionResetError:  # told once when the other one died with something unread: its words follow
                continue
        return b"", []

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
