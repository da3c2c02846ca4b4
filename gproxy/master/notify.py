"""Tells the service manager how the service is: the protocol of systemd's sd_notify(3), spoken without its library.

Without NOTIFY_SOCKET in the environment, every call does nothing. Nothing here ever fails, or waits for long: a service
manager that does not listen must not stop the gateway.
"""

import contextlib
import os
import socket
import time
from typing import Final

#: A manager that has its hands full (its queue holds ten messages) is waited for, but not longer.
_PATIENCE_S: Final = 1.0
#: Messages are that many for each period of WATCHDOG_USEC: one may be late.
_PER_PERIOD: Final = 3


class Notifier:
    """Speaks to the service manager of this process."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = _watchdog_period_s()
        self._fed_s = float("-inf")

    def ready(self, status: str) -> None:
        """Tell that the service is up, or that a reload is over."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self, status: str) -> None:
        """Tell that a reload or an upgrade has begun."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """Tell that the service is on its way to its end."""
        self._send("STOPPING=1", f"STATUS={status}")

    def replaced_by(self, pid: int) -> None:
        """Tell that another process is the main one from now on: said by the old one, who alone is believed."""
        self._send(f"MAINPID={pid}", "READY=1", f"STATUS=taken over by pid {pid}")

    def feed_watchdog(self, now_s: float) -> None:
        """Tell that this process lives, if the service manager wants to hear that."""
        if self._watchdog_s and now_s - self._fed_s >= self._watchdog_s / _PER_PERIOD:
            self._fed_s = now_s
            self._send("WATCHDOG=1", patience_s=0.0)

    def _send(self, *lines: str, patience_s: float = _PATIENCE_S) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(patience_s)
            sock.sendto("\n".join(lines).encode(), self._address)


def environment_for(pid: int) -> dict[str, str]:
    """Return the environment for a program that shall be the main process later: its watchdog is meant for it."""
    environment = dict(os.environ)
    if "WATCHDOG_PID" in environment:
        environment["WATCHDOG_PID"] = str(pid)
    return environment


def _watchdog_period_s() -> float:
    period = os.environ.get("WATCHDOG_USEC", "")
    is_ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(period) / 1e6 if period.isdigit() and is_ours else 0.0
