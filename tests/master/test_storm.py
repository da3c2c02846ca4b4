"""Signals and kills at moments that nobody chose: whatever comes, the gateway serves, and ends when it is told to.

With GPROXY_LARGE_TESTS in the environment it takes a minute. A failure names the seed to try again with GPROXY_SEED.
"""

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.orphans import adopted
from tests.harness.waiting import eventually
from tests.master.running import Running, is_alive, wait_for_end
from tests.master.upgradable import upgradable

SECONDS = 60.0 if "GPROXY_LARGE_TESTS" in os.environ else 4.0
SEED = int(os.environ.get("GPROXY_SEED", time.time_ns() % 1_000_000))
CHILDREN = ("gproxy-worker", "gproxy-sync", "gproxy-monitor")
SIGNALS = (
    *(signal.SIGHUP, signal.SIGUSR2, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD),
    *(signal.SIGHUP, signal.SIGUSR2),
)


@pytest.fixture(autouse=True)
def orphans() -> Iterator[None]:
    with adopted():
        yield


def masters(gateway: Running) -> list[psutil.Process]:
    """Return the masters that live, also one that is only about to become one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if str(gateway.ini) in process.cmdline() and not process.name().startswith(CHILDREN):
                found.append(process)
    return found


def in_charge(gateway: Running) -> int:
    """Return the pid in the pid file, 0 when there is none to read."""
    with contextlib.suppress(OSError, ValueError):
        return int((gateway.run_dir / "gproxy.pid").read_text().splitlines()[0])
    return 0


def kill_one(gateway: Running, master: int, draw: random.Random) -> None:
    """Kill sync, monitor, or a new program before it is in charge, of a master that stands still meanwhile."""
    process = psutil.Process(master)
    process.suspend()
    try:
        time.sleep(0.1)  # for a new program to sign the pid file, if it has been told that it is in charge
        new = set(re.findall(r" new=(\d+)", gateway.log()))
        # A worker that was just forked has its master's name still, and may have requests in hand a moment later.
        victims = [one for one in process.children() if one.name() in CHILDREN[1:] or str(one.pid) in new]
        if in_charge(gateway) == master and victims:
            draw.choice(victims).kill()
    finally:
        process.resume()


@pytest.mark.timeout(180)
def test_signals_at_any_moment(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    gateway = upgradable(tmp_path)
    lost = asked = 0
    with gateway:
        until_s = time.monotonic() + SECONDS
        while time.monotonic() < until_s:
            pid = in_charge(gateway)
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                for _ in range(draw.randrange(1, 4)):
                    os.kill(pid, draw.choice(SIGNALS))
                if draw.random() < 0.1:
                    kill_one(gateway, pid, draw)
            asked += 1
            try:
                lost += not gateway.ask()
            except OSError:
                lost += 1
            time.sleep(draw.random() * 0.1)
        # It comes to rest: one master, which has all its children and answers.
        eventually(lambda: len(masters(gateway)) == 1, 40, f"one master is left, seed {SEED}\n{gateway.log()}")
        gateway.pid = masters(gateway)[0].pid
        eventually(lambda: in_charge(gateway) == gateway.pid, 10, f"it is in charge, seed {SEED}\n{gateway.log()}")
        eventually(lambda: len(gateway.children()) >= 3, 20, f"its children run, seed {SEED}\n{gateway.log()}")
        assert gateway.ask()
        assert lost == 0, f"{lost} of {asked} lost, seed {SEED}\n{gateway.log()}"
        assert "Traceback" not in gateway.log(), f"seed {SEED}\n{gateway.log()}"
        gateway.send(signal.SIGTERM)
        wait_for_end(gateway.pid)
        eventually(lambda: not gateway._left(), 20, f"everything ends, seed {SEED}")
    assert not is_alive(gateway.pid)
    assert list(gateway.run_dir.iterdir()) == [], f"seed {SEED}"
