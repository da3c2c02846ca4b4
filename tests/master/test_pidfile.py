import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gproxy.master.pidfile import NAME, OLD_NAME, AlreadyRunning, PidFile, is_held


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


def test_it_is_inherited_lock_and_all_and_signed_when_in_charge(tmp_path: Path) -> None:
    old, new = PidFile(tmp_path), PidFile(tmp_path)
    old.acquire()
    (tmp_path / NAME).write_text("1234567\n")  # a longer pid than ours may be
    assert new.inherit(os.dup(old.fileno()))
    assert (tmp_path / NAME).read_text() == "1234567\n"
    new.sign()
    old.hand_over()
    assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"
    assert (tmp_path / OLD_NAME).read_text() == f"{os.getpid()}\n"
    old.release()
    assert not (tmp_path / OLD_NAME).exists()
    assert is_held(tmp_path)
    new.release()
    assert list(tmp_path.iterdir()) == []


def test_an_heir_that_gives_up_leaves_it_to_the_old_one(tmp_path: Path) -> None:
    old, new = PidFile(tmp_path), PidFile(tmp_path)
    old.acquire()
    new.inherit(os.dup(old.fileno()))
    new.release()
    assert is_held(tmp_path)
    assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"
    old.release()


def test_an_heir_with_another_run_dir_takes_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    old, new = PidFile(tmp_path), PidFile(tmp_path / "new")
    old.acquire()
    assert not new.inherit(os.dup(old.fileno()))
    assert is_held(tmp_path / "new")
    old.release()
    assert not (tmp_path / NAME).exists()
    new.release()


def test_the_old_file_of_a_later_one_is_left_alone(tmp_path: Path) -> None:
    old = PidFile(tmp_path)
    old.acquire()
    old.hand_over()
    (tmp_path / OLD_NAME).write_text("12\n")
    old.release()
    assert (tmp_path / OLD_NAME).exists()


def test_a_look_at_the_lock_at_the_same_moment_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    looking = os.open(tmp_path / NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.05, os.close, (looking,)).start()
    pid_file = PidFile(tmp_path)
    pid_file.acquire()
    pid_file.release()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / NAME).symlink_to("precious")
    with pytest.raises(OSError, match="symbolic link"):
        PidFile(tmp_path).acquire()
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_file_that_another_program_made_meanwhile_is_left_alone(tmp_path: Path) -> None:
    first, second = PidFile(tmp_path), PidFile(tmp_path)
    first.acquire()
    (tmp_path / NAME).unlink()  # by somebody who believed it to be left over
    second.acquire()
    first.release()
    assert is_held(tmp_path)
    second.release()


def test_a_full_disk_is_an_error_and_the_lock_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    pid_file = PidFile(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        with pytest.raises(OSError, match="No space left"):
            pid_file.acquire()
    pid_file.acquire()
    pid_file.release()
