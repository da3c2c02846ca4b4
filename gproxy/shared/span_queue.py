"""The way of spans from workers to the monitor: datagrams to a unix socket in `run_dir`, never waited for.

Whoever is the monitor binds it; a later one takes it over from an earlier one. The system holds a few datagrams: more
wait, within bounds, where they come from.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Final

_NAME: Final = "spans.sock"
#: What the system is asked to hold, and the largest message: both ends agree on it.
_BUFFER_BYTES: Final = 1 << 18
MOST_BYTES: Final = 1 << 17


class _Folder:
    """`run_dir` by its descriptor: its path may be longer than the address of a socket."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = os.open(run_dir, os.O_PATH | os.O_CLOEXEC)
        self.address = f"/proc/self/fd/{self._folder}/{_NAME}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def close(self) -> None:
        """Let go of both."""
        self.socket.close()
        os.close(self._folder)


class SpanSender(_Folder):
    """Where a worker leaves its messages."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

    def send(self, message: bytes) -> bool:
        """Leave a message; False when nobody takes it now."""
        try:
            self.socket.sendto(message, self.address)
        except OSError:
            return False
        return True


class SpanReceiver(_Folder):
    """Where the monitor finds them."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.address)
        self.socket.bind(self.address)
        os.chmod(self.address, 0o600)

    def receive(self, within_s: float) -> bytes:
        """Wait for a message; b"" when none came in time."""
        self.socket.settimeout(within_s)
        try:
            return self.socket.recv(MOST_BYTES)
        except TimeoutError:
            return b""
