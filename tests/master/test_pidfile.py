import os
import subprocess
import sys
from pathlib import Path

import pytest

from gproxy.master.pidfile import NAME, AlreadyRunning, PidFile, is_held


def test_the_file_holds_the_pid_until_it_is_released(tmp_path: Path) -> None:
    pid_file = PidFile(tmp_path)
    pid_file.acquire()
    assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"
    assert is_held(tmp_path)
    pid_file.release()
    assert not (tmp_path / NAME).exists()
    assert not is_held(tmp_path)


def test_only_one_can_hold_it(tmp_path: Path) -> None:
    first = PidFile(tmp_path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match=f"another gproxy runs in this run_dir, pid {os.getpid()}"):
        PidFile(tmp_path).acquire()
    first.release()
    second = PidFile(tmp_path)
    second.acquire()
    second.release()


def test_a_file_that_a_dead_master_left_means_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from gproxy.master.pidfile import PidFile\n"
        "PidFile(Path(sys.argv[1])).acquire(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / NAME).exists()
    assert not is_held(tmp_path)
    pid_file = PidFile(tmp_path)
    pid_file.acquire()
    assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"
    pid_file.release()


def test_a_childs_copy_does_not_hold_it(tmp_path: Path) -> None:
    pid_file = PidFile(tmp_path)
    pid_file.acquire()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        pid_file.become_child()
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    pid_file.release()
    assert not is_held(tmp_path)
    os.close(writer)
    os.waitpid(child, 0)
