import os
import signal
import sys
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.master.child import Child, describe_exit, fork
from gproxy.role import EXIT_BOOT_FAILED, NO_SLOT, Context
from gproxy.shared.table import Table


def seven(context: Context) -> int:
    """A role that leaves its slot as its exit code."""
    return context.slot


def name_of(context: Context) -> int:
    """A role that is content with the name that `ps` shows."""
    return 0 if Path("/proc/self/comm").read_text() == "gproxy-role7\n" else 1


def leave(context: Context) -> int:
    """A role that leaves in the middle."""
    sys.exit(4)


def fail(context: Context) -> int:
    """A role that fails."""
    raise ValueError("oh no")


def exit_of(tmp_path: Path, target: str, log_file: str = "/dev/null") -> int:
    table = Table.create(slots=1, rows=64)
    loaded = settings.load(None, {"log": {"file": log_file}})
    pid = fork("role", target, Context(loaded, table, 7, (), os.getpid()), lambda: None)
    _, status = os.waitpid(pid, 0)
    table.close()
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize(
    ("function", "code"),
    [("seven", 7), ("name_of", 0), ("leave", 4), ("fail", 1), ("none_such", 1)],
)
def test_a_role_runs_in_the_child_and_its_answer_is_the_exit_code(tmp_path: Path, function: str, code: int) -> None:
    assert exit_of(tmp_path, f"tests.master.test_child:{function}") == code


def test_what_a_role_raises_is_logged(tmp_path: Path) -> None:
    exit_of(tmp_path, "tests.master.test_child:fail", str(tmp_path / "log"))
    text = (tmp_path / "log").read_text()
    assert "ERROR role-7[" in text
    assert "role failed\n  Traceback" in text
    assert text.endswith("ValueError: oh no\n")


def test_a_log_file_that_cannot_be_opened_is_a_failed_boot(tmp_path: Path) -> None:
    assert exit_of(tmp_path, "tests.master.test_child:seven", f"{tmp_path}/none/log") == EXIT_BOOT_FAILED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (int(signal.SIGKILL), "killed by SIGKILL"),
        (int(signal.SIGRTMIN) + 3, f"killed by signal {signal.SIGRTMIN + 3}"),
        (EXIT_BOOT_FAILED << 8, "could not start, its log line above says why"),
        (1 << 8, "left with exit code 1"),
        (0, "left with exit code 0"),
    ],
)
def test_an_exit_is_described_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


def test_a_child_that_is_gone_can_be_sent_a_signal() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    child = Child("sync", NO_SLOT, pid, 0.0, 0.0)
    child.send(signal.SIGTERM)
    assert child.name == "sync"
