"""What goes wrong in a long run, one a minute in this order, again and again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from scripts.long_run.stage import Stage

Fault = Callable[[Stage], None]


def server_dies(stage: Stage) -> None:
    """A server is killed and comes back after some seconds."""
    stage.stop_server(0)
    time.sleep(5)
    stage.start_server(0)


def server_hangs(stage: Stage) -> None:
    """A server stands still for some seconds."""
    process = stage.servers[1]
    process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    process.send_signal(signal.SIGCONT)


def all_servers_die(stage: Stage) -> None:
    """No server is left for a moment."""
    numbers = list(stage.servers)
    for number in numbers:
        stage.stop_server(number)
    time.sleep(3)
    for number in numbers:
        stage.start_server(number)


def configuration_changes(stage: Stage) -> None:
    """The configuration is changed three times in a row."""
    for percent in (10, 30, 20):
        stage.apply(percent)


def certificate_changes(stage: Stage) -> None:
    """There is another certificate."""
    stage.write_certificate()


def worker_dies(stage: Stage) -> None:
    """The younger worker is killed."""
    stage.kill("gproxy-worker", youngest=True)


def sync_dies(stage: Stage) -> None:
    """The process that follows the store is killed."""
    stage.kill("gproxy-sync")


def monitor_dies(stage: Stage) -> None:
    """The process that checks servers is killed."""
    stage.kill("gproxy-monitor")


FAULTS: tuple[Fault, ...] = (
    *(server_dies, configuration_changes, worker_dies, certificate_changes),
    *(server_hangs, sync_dies, all_servers_die, monitor_dies),
)
