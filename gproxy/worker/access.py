"""The access log: one line per request, formatted on the loop and written by a thread, so that no disk can block it.

The queue is bounded in bytes: when the disk is slower than the traffic, lines are dropped and counted.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from random import random
from typing import TYPE_CHECKING

from gproxy.core.share import Share

if TYPE_CHECKING:
    from gproxy.worker.access_line import Format
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.forwarded import Network

#: bytes that may wait for the disk (some 50,000 lines), and what a queued line takes beside its text
_MOST_WAITING, _PER_LINE = 16 << 20, 64
#: lines are collected this long before they are written together
_FLUSH_S = 0.1


class AccessLog:
    """Collects lines and appends them to `target` ("-" is standard output) from a thread of its own.

    `dropped` is called with the number of lines that were lost. Construction raises OSError.
    """

    def __init__(self, target: str, dropped: Callable[[int], None]) -> None:
        self._target = target
        self._dropped = dropped
        self._lines: deque[bytes] = deque()
        # Bytes that ever came, and that the thread ever took: each has one writer.
        self._came = self._taken = 0
        self._file = _open(target)
        self._wanted = threading.Event()
        self._reopen = False
        self._stopped = False
        self._thread = threading.Thread(target=self._write_on, name="access-log", daemon=True)
        self._thread.start()

    def add(self, line: bytes) -> None:
        """Queue one line (with its newline)."""
        came = self._came + len(line) + _PER_LINE
        if came - self._taken > _MOST_WAITING:
            self._dropped(1)
            return
        self._came = came
        self._lines.append(line)

    def reopen(self) -> None:
        """Open the file anew before the next line is written."""
        self._reopen = True

    def close(self) -> None:
        """Write what is queued, within two seconds, and stop."""
        self._stopped = True
        self._wanted.set()
        self._thread.join(2)

    def _write_on(self) -> None:
        while not self._stopped:
            self._wanted.wait(_FLUSH_S)
            self._flush()
        self._flush()

    def _flush(self) -> None:
        if self._reopen:
            self._reopen = False
            self._swap()
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if not lines:
            return
        data = memoryview(b"".join(lines))
        count, size = len(lines), len(data) + _PER_LINE * len(lines)
        del lines  # the text is in memory twice until here
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self._dropped(count)
        self._taken += size

    def _swap(self) -> None:
        try:
            fresh = _open(self._target)
        except OSError:
            return  # the old file still takes lines
        old, self._file = self._file, fresh
        if self._target != "-":
            os.close(old)


class Access:
    """Chooses the exchanges that have a line: those of `share`, or of the share that their API asks for."""

    def __init__(self, log: AccessLog, line: Format, trusted: Sequence[Network], share: Share) -> None:
        self._add = log.add
        self._line = line
        self._trusted = trusted
        self._share = share
        self._has_all = share.percent == 100

    def take(self, exchange: Exchange) -> None:
        """Log an exchange that is over, if it is one of those."""
        share = exchange.api.access_log if exchange.api is not None else None
        if share is None:
            if self._has_all:
                self._add(self._line(exchange, self._trusted))
                return
            share = self._share
        if share.holds(exchange.status, exchange.code, random()):
            self._add(self._line(exchange, self._trusted))


def _open(target: str) -> int:
    return 1 if target == "-" else os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
