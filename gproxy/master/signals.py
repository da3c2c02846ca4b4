"""Signals as a queue: handlers only note the number, a pipe wakes the loop that waits for them."""

import os
import select
import signal
from types import FrameType
from typing import Final

from gproxy import logs

#: What the master listens to. USR2 is caught only because its default would end the process.
HANDLED: Final = (
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)
#: What means nothing to a child until its role says otherwise. A terminal's Ctrl-C reaches the whole process
#: group: the master alone translates it.
_IGNORED_IN_CHILD: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR2,
)


class SignalQueue:
    """The signals of this process in the order in which they came, from `install` to `close`."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._reader, self._writer = -1, -1

    def install(self) -> None:
        """Take over the handlers of all of HANDLED."""
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._waiting.append(number)

    def wait(self, timeout_s: float) -> list[int]:
        """Return what has come, waiting at most `timeout_s` for the first; each number once."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        if poll.poll(max(0, int(timeout_s * 1000) + 1)):
            os.read(self._reader, 4096)
        came, self._waiting = self._waiting, []
        return list(dict.fromkeys(came))

    def close(self) -> None:
        """Give the handlers back to Python and close the pipe."""
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.close(self._reader)
        os.close(self._writer)

    def become_child(self) -> None:
        """Undo the master's handling in a child; to be called while all of HANDLED are blocked."""
        signal.set_wakeup_fd(-1)
        os.close(self._reader)
        os.close(self._writer)
        for number in HANDLED:
            signal.signal(number, signal.SIG_IGN if number in _IGNORED_IN_CHILD else signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, _leave_at_once)  # its default would write a core file
        signal.signal(signal.SIGUSR1, _reopen_logs)  # a file moved away while the role boots


def _leave_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _reopen_logs(_number: int, _frame: FrameType | None) -> None:
    logs.reopen()
