import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.master.notify import Notifier, environment_for


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager's socket, as a file and in Linux's abstract name space."""
    name = f"{tmp_path}/notify" if request.param == "file" else f"\0gproxy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        yield sock


def test_each_state_is_told_in_the_words_of_sd_notify(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready("all is well")
    assert manager.recv(1000) == b"READY=1\nSTATUS=all is well"
    notifier.reloading("again")
    kind, clock, status = manager.recv(1000).split(b"\n")
    assert (kind, status) == (b"RELOADING=1", b"STATUS=again")
    assert clock.startswith(b"MONOTONIC_USEC=")
    assert clock.removeprefix(b"MONOTONIC_USEC=").isdigit()
    notifier.replaced_by(12)
    assert manager.recv(1000) == b"MAINPID=12\nREADY=1\nSTATUS=taken over by pid 12"
    notifier.stopping("bye")
    assert manager.recv(1000) == b"STOPPING=1\nSTATUS=bye"


def test_the_watchdog_hears_three_times_in_its_period(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()
    for now_s in (100.0, 105.0, 110.0, 119.9, 120.0):
        notifier.feed_watchdog(now_s)
    for _ in range(3):
        assert manager.recv(1000) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        manager.recv(1000)


def test_a_watchdog_of_another_process_hears_nothing(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    Notifier().feed_watchdog(100.0)
    with pytest.raises(BlockingIOError):
        manager.recv(1000)
    assert environment_for(77)["WATCHDOG_PID"] == "77"


def test_nobody_there_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready("unheard")
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/none")
    Notifier().ready("unheard")
    assert "WATCHDOG_PID" not in environment_for(77)


def test_a_manager_that_does_not_read_is_not_waited_for_long(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    notifier = Notifier()
    for now_s in range(2000):
        notifier.feed_watchdog(float(now_s))
    began_s = time.monotonic()
    notifier.ready("unheard")
    assert time.monotonic() - began_s < 5
    threading.Timer(0.1, manager.recv, (2000,)).start()
    notifier.ready("heard")  # it reads again
    words = [manager.recv(2000) for _ in range(2)]
    while b"WATCHDOG" in words[-1]:
        words.append(manager.recv(2000))
    assert words[-1] == b"READY=1\nSTATUS=heard"
