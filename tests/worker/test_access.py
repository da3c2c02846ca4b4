import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.share import Share
from gproxy.worker.access import Access, AccessLog
from tests.worker.peer import WITHIN_S
from tests.worker.stage import Stage


def ignore(lines: int) -> None:
    raise AssertionError(f"{lines} lines dropped")


def eventually(condition: Callable[[], object]) -> None:
    """Wait for another thread."""
    give_up = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < give_up, "the thread does not do it"
        time.sleep(0.002)


def test_lines_arrive_in_order_without_being_closed(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "log"), ignore)
    for number in range(1000):
        log.add(b"%d\n" % number)
    expected = b"".join(b"%d\n" % number for number in range(1000))
    eventually(lambda: (tmp_path / "log").read_bytes() == expected)
    log.close()


def test_an_existing_file_is_continued(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"before\n")
    log = AccessLog(str(tmp_path / "log"), ignore)
    log.add(b"after\n")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"before\nafter\n"


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    log = AccessLog("-", ignore)
    log.reopen()
    log.add(b"line\n")
    log.close()
    assert capfd.readouterr().out == "line\n"


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "nowhere" / "log"), ignore)


def test_reopening(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    log = AccessLog(str(path), ignore)
    log.add(b"first\n")
    eventually(path.read_bytes)
    path.rename(old)
    log.add(b"second\n")
    eventually(lambda: old.read_bytes() == b"first\nsecond\n")
    log.reopen()
    log.add(b"third\n")
    log.close()
    assert (old.read_bytes(), path.read_bytes()) == (b"first\nsecond\n", b"third\n")


def test_the_old_file_is_kept_when_the_new_one_cannot_be_opened(tmp_path: Path) -> None:
    folder, moved = tmp_path / "logs", tmp_path / "moved"
    folder.mkdir()
    log = AccessLog(str(folder / "log"), ignore)
    folder.rename(moved)
    log.reopen()
    log.add(b"line\n")
    log.close()
    assert (moved / "log").read_bytes() == b"line\n"


def test_a_full_disk_loses_lines_and_says_so() -> None:
    dropped: list[int] = []
    log = AccessLog("/dev/full", dropped.append)
    for _ in range(10):
        log.add(b"line\n")
    log.close()
    assert sum(dropped) == 10


def test_a_slow_disk_never_blocks_and_the_queue_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "fifo"  # takes 64 KiB until somebody reads
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    dropped: list[int] = []
    log = AccessLog(str(path), dropped.append)
    line = b"x" * 8127 + b"\n"  # with what it takes beside its text 8 KiB: 2,048 of them may wait
    for _ in range(100):
        log.add(line)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    assert poll.poll(WITHIN_S * 1000)  # all were taken, and writing them does not end
    for _ in range(3000):
        log.add(line)
    assert sum(dropped) == 3100 - 2048
    got = 0
    while got < 2048 * len(line) and poll.poll(WITHIN_S * 1000):
        got += len(os.read(reader, 1 << 20))
    assert got == 2048 * len(line)
    eventually(lambda: log._taken == log._came)  # there is room again
    log.add(b"line\n")
    log.close()
    assert os.read(reader, 100) == b"line\n"
    os.close(reader)


class _Log:
    """Takes lines as the access log does."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def add(self, line: bytes) -> None:
        self.lines.append(line)


@pytest.mark.parametrize(
    ("of_all", "of_api", "status", "code", "is_logged"),
    [
        (Share(), None, 200, "", True),
        (Share(0, True), None, 200, "", False),
        (Share(0, True), None, 404, "", True),
        (Share(0, True), None, 200, "response_broken", True),
        (Share(0, False), None, 500, "", False),
        (Share(), {"percent": 0, "errors": False}, 500, "internal_error", False),
        (Share(0, False), {}, 200, "", True),
    ],
)
def test_which_requests_have_a_line(
    of_all: Share, of_api: dict[str, Any] | None, status: int, code: str, is_logged: bool, stage: Stage
) -> None:
    stage.proxy_to("127.0.0.1:1", access_log=of_api)
    assert stage.runtime.snapshot is not None
    exchange = stage.exchange()
    exchange.api = stage.runtime.snapshot.router.find(b"a", b"GET", b"/").target  # type: ignore[union-attr]
    exchange.status, exchange.code = status, code
    log = _Log()
    Access(log, lambda exchange, trusted: b"line", (), of_all).take(exchange)  # type: ignore[arg-type]
    assert log.lines == [b"line"] * is_logged


def test_a_request_of_no_api_is_one_of_all(stage: Stage) -> None:
    log = _Log()
    for share in (Share(), Share(0, True), Share(0, False)):
        exchange = stage.exchange()
        exchange.status, exchange.code = 404, "no_route"
        Access(log, lambda exchange, trusted: b"line", (), share).take(exchange)  # type: ignore[arg-type]
    assert log.lines == [b"line"] * 2
