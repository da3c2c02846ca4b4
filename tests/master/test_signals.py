import os
import signal
from collections.abc import Iterator

import pytest

from gproxy.master.signals import HANDLED, SignalQueue


@pytest.fixture
def queue() -> Iterator[SignalQueue]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    made = SignalQueue()
    made.install()
    yield made
    made.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nothing_comes_when_nothing_was_sent(queue: SignalQueue) -> None:
    assert queue.wait(0) == []


def test_signals_come_in_order_and_once(queue: SignalQueue) -> None:
    for number in (signal.SIGTTIN, signal.SIGHUP, signal.SIGTTIN):
        os.kill(os.getpid(), number)
    assert queue.wait(5) == [signal.SIGTTIN, signal.SIGHUP]
    assert queue.wait(0) == []


def test_a_signal_that_came_before_wakes_the_wait(queue: SignalQueue) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert queue.wait(30) == [signal.SIGTERM]


def test_a_child_has_no_part_in_the_queue(queue: SignalQueue) -> None:
    reader, writer = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    pid = os.fork()
    if pid == 0:
        queue.become_child()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTTIN, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(os.getpid(), number)
        os.write(writer, b"lives")
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    os.close(writer)
    assert os.read(reader, 10) == b"lives"
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    assert queue.wait(0) in ([], [signal.SIGCHLD])
