import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from scripts.processes import descendants, free_ports, started, stop

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def test_what_was_started_is_stopped_on_leaving_also_by_an_exception(tmp_path: Path) -> None:
    with started(SLEEPER, tmp_path / "log") as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM
    with contextlib.suppress(ZeroDivisionError), started(SLEEPER, tmp_path / "log") as process:
        raise ZeroDivisionError
    assert process.returncode == -signal.SIGTERM


def test_a_process_leads_its_own_session_and_runs_on_the_core_asked_for(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    with started(SLEEPER, tmp_path / "log", core) as process:
        assert os.getsid(process.pid) == process.pid
        assert os.sched_getaffinity(process.pid) == {core}


def test_it_ends_when_the_script_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from scripts.processes import started\n"
        f"with started({SLEEPER!r}, Path({str(tmp_path / 'log')!r})) as process:\n"
        "    print(process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=10)


def test_children_that_outlive_their_parent_are_killed(tmp_path: Path) -> None:
    ready = tmp_path / "log"
    parent = f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"
    with started([sys.executable, "-c", parent], ready) as process:
        while not ready.read_text():
            assert process.poll() is None
        family = descendants(process.pid)
        assert len(family) == 1
    family[0].wait(timeout=10)


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    with started(SLEEPER, tmp_path / "log") as process:
        stop(process)
        assert descendants(process.pid) == []


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(20))) == 20
