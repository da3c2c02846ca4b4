import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy import logs, settings


@pytest.fixture(autouse=True)
def root_logger_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def log_to(target: str, role: str = "master", slot: int = -1, level: str = "info") -> logging.Logger:
    logs.setup(settings.load(None, {"log": {"file": target, "level": level}}), role, slot)
    return logging.getLogger("gproxy.test")


def test_a_line_has_time_level_process_message_and_values(capfd: pytest.CaptureFixture[str]) -> None:
    log_to("-").info("worker is accepting", extra={"slot": 1, "address": "[::1]:80"})
    line = capfd.readouterr().err
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z INFO master\[{os.getpid()}\] "
        r"worker is accepting slot=1 address=\[::1\]:80\n",
        line,
    )


def test_values_and_messages_cannot_forge_lines(tmp_path: Path) -> None:
    log = log_to(str(tmp_path / "log"))
    log.warning("odd\nmessage %s", "\x1b[0m", extra={"reason": 'say "no"\n', "empty": "", "eq": "a=b"})
    text = (tmp_path / "log").read_text()
    assert text.count("\n") == 1
    assert text.endswith(r"""odd\nmessage \x1b[0m reason="say \"no\"\n" empty="" eq="a=b""" + '"\n')


def test_a_worker_is_named_by_its_slot_and_levels_apply(tmp_path: Path) -> None:
    log = log_to(str(tmp_path / "log"), "worker", 3, "warning")
    log.info("not written")
    log.warning("written")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert f"WARNING worker-3[{os.getpid()}] written" in line


def test_a_traceback_follows_indented(tmp_path: Path) -> None:
    log = log_to(str(tmp_path / "log"))
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    first, *rest = (tmp_path / "log").read_text().splitlines()
    assert first.endswith("failed")
    assert rest[0] == "  Traceback (most recent call last):"
    assert rest[-1] == "  ValueError: no"


def test_reopen_follows_a_moved_file(tmp_path: Path) -> None:
    log = log_to(str(tmp_path / "log"))
    log.info("one")
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.info("two")
    logs.reopen()
    log.info("three")
    assert len((tmp_path / "log.1").read_text().splitlines()) == 2
    assert (tmp_path / "log").read_text().endswith("three\n")


def test_a_failed_reopen_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = log_to(str(folder / "log"))
    folder.rename(tmp_path / "moved")
    logs.reopen()
    log.info("still here")
    failure, line = (tmp_path / "moved" / "log").read_text().splitlines()
    assert "ERROR" in failure
    assert "cannot reopen the log file" in failure
    assert line.endswith("still here")


def test_a_full_disk_drops_the_line_and_nothing_else() -> None:
    log = log_to("/dev/full")
    log.info("lost")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        log_to(str(tmp_path / "none" / "log"))
