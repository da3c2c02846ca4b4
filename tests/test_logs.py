import json
import logging
import math
import os
import re
import subprocess
import sys
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


def log_to(
    target: str, role: str = "master", slot: int = -1, level: str = "info", form: str = "text"
) -> logging.Logger:
    logs.setup(settings.load(None, {"log": {"file": target, "level": level, "format": form}}), role, slot)
    return logging.getLogger("gproxy.test")


def objects(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


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


def test_reopening_puts_the_new_file_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    """A thread in the middle of a line has its number: that must not have become a socket's meanwhile."""
    log_to(str(tmp_path / "log"))
    (handler,) = (each for each in logging.getLogger().handlers if isinstance(each, logs.LineHandler))
    before, free = handler._fd, os.dup(2)
    os.close(free)
    logs.reopen()
    assert handler._fd == before
    assert not os.get_inheritable(before)
    again = os.dup(2)
    os.close(again)
    assert again == free, "nothing is left open"


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


def test_a_json_line_has_the_same_as_an_object(tmp_path: Path) -> None:
    log = log_to(str(tmp_path / "log"), "worker", 3, form="json")
    log.warning("circuit %s", "open", extra={"server": "u1", "failures": 5, "share": 0.5, "is_new": True, "api": None})
    (entry,) = objects(tmp_path / "log")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(entry.pop("time")))
    assert entry == {
        "level": "warning",
        "process": "worker-3",
        "process_id": os.getpid(),
        "message": "circuit open",
        "server": "u1",
        "failures": 5,
        "share": 0.5,
        "is_new": True,
        "api": None,
    }


def test_every_json_line_is_json_for_everybody() -> None:
    odd = {
        "newline": "a\nb\u2028",
        "lone": "\udc80",
        "infinite": math.inf,
        "path": Path("/x"),
        "level": 7,
        "time": "now",
    }
    # Not by way of `logging`: parallel tests send what they have captured to each other, and cannot send half a pair.
    record = logging.makeLogRecord({"msg": "odd\n\udcff", "levelname": "ERROR", **odd})
    line = logs.JsonFormatter("master").format(record)
    assert line.isascii()
    assert "Infinity" not in line
    entry = json.loads(line)
    assert (entry["message"], entry["newline"], entry["lone"]) == ("odd\n\\udcff", "a\nb\u2028", "\\udc80")
    assert (entry["infinite"], entry["path"]) == ("inf", "/x")
    assert (entry["level"], entry["level_"], entry["time_"]) == ("error", 7, "now")


def test_a_traceback_is_one_text_in_its_json_line(tmp_path: Path) -> None:
    log = log_to(str(tmp_path / "log"), form="json")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed", extra={"request_id": "r1"})
    (entry,) = objects(tmp_path / "log")
    assert (entry["message"], entry["request_id"]) == ("failed", "r1")
    assert str(entry["exception"]).startswith("Traceback (most recent call last):\n")
    assert str(entry["exception"]).endswith("ValueError: no")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_pipe_that_nobody_reads_costs_lines_and_no_time(tmp_path: Path, form: str) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    log = log_to(str(tmp_path / "log"), form=form)
    for number in range(2000):
        log.info("x" * 100, extra={"number": number})
    log.info("y" * 100_000)  # more than the pipe can ever hold
    drained = b""
    while not drained.endswith(b"heard\n" if form == "text" else b'heard"}\n'):
        try:
            drained += os.read(reader, 1 << 20)
        except BlockingIOError:
            log.info("heard")
    os.close(reader)
    lost = re.search(rb"lines of this log were lost.*?(\d{4})", drained)
    assert lost is not None
    assert 1000 < int(lost[1]) < 2000


def test_a_long_line_into_a_pipe_that_is_read_arrives_whole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    log = log_to(str(tmp_path / "log"))
    log.info("z" * 50_000)
    assert len(os.read(reader, 1 << 20)) > 50_000
    os.close(reader)


def test_what_nobody_has_caught_is_a_line_like_others(tmp_path: Path) -> None:
    code = (
        "import gc, sys, threading, warnings\n"
        "from gproxy import logs, settings\n"
        "logs.setup(settings.load(None, {'log': {'file': sys.argv[1], 'format': 'json'}}), 'sync')\n"
        "logs.catch_strays()\n"
        "class Odd:\n"
        "    def __del__(self): raise KeyError('odd')\n"
        "def fail(): raise ValueError('in a thread')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "Odd(); gc.collect()\n"
        "warnings.warn('beware')\n"
        "logs.stray('a callback', RuntimeError, 'text only', None)\n"
        "raise OSError('at the end')\n"
    )
    target = tmp_path / "log"
    done = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    thread, odd, warning, callback, end = objects(target)
    for entry, text in ((thread, "in a thread"), (odd, "odd"), (callback, "text only"), (end, "at the end")):
        assert entry["message"] == "a failure that nobody expected"
        assert text in str(entry["exception"])
    assert "beware" in str(warning["message"])


def test_a_command_says_warnings_as_remarks(capfd: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("a.command")
    with logs.remarks("gproxy"):
        log.info("nothing of interest")
        log.warning("certificate expires soon", extra={"certificate": "a", "in_days": 3.0})
    assert capfd.readouterr().err == "gproxy: warning: certificate expires soon certificate=a in_days=3.0\n"
