import json
import os
import re
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gproxy.worker import access
from gproxy.worker.access import FORMATS, AccessLog, combined_line, json_line
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
    assert select.select([reader], [], [], WITHIN_S)[0]  # all were taken, and writing them does not end
    for _ in range(3000):
        log.add(line)
    assert sum(dropped) == 3100 - 2048
    got = 0
    while got < 2048 * len(line) and select.select([reader], [], [], WITHIN_S)[0]:
        got += len(os.read(reader, 1 << 20))
    assert got == 2048 * len(line)
    eventually(lambda: log._taken == log._came)  # there is room again
    log.add(b"line\n")
    log.close()
    assert os.read(reader, 100) == b"line\n"
    os.close(reader)


def finished(stage: Stage, block: bytes = b"Host: A:80\r\n", **fields: Any) -> bytes:
    """Return the line of JSON of an exchange with these values."""
    exchange = stage.exchange(block, b"POST", b'/a?b="\\')
    for name, value in ({"status": 200} | fields).items():
        setattr(exchange, name, value)
    return json_line(exchange, ())


def test_json(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1")
    assert stage.runtime.snapshot is not None
    api = stage.runtime.snapshot.router.find(b"a", b"GET", b"/").target  # type: ignore[union-attr]
    line = finished(stage, received=5, sent=7, api=api, server=api.nodes[0].cluster.members[0], request_id=b"id")
    assert line.endswith(b"}\n")
    entry = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert 0 <= entry.pop("duration_ms") < 5000
    assert entry == {
        "client_ip": "127.0.0.1",
        "method": "POST",
        "host": "A:80",
        "target": '/a?b="\\',
        "protocol": "HTTP/1.1",
        "status": 200,
        "code": "",
        "bytes_in": 5,
        "bytes_out": 7,
        "api": "all",
        "server": "s0",
        "request_id": "id",
    }


def test_json_of_a_failure_says_why(stage: Stage) -> None:
    entry = json.loads(finished(stage, status=502, code="bad_upstream", reason="connect failed"))
    assert (entry["status"], entry["code"], entry["reason"]) == (502, "bad_upstream", "connect failed")
    assert (entry["api"], entry["server"]) == ("", "")


def test_time_is_one_moment(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "time", lambda: 1_700_000_000.9996)
    assert json.loads(finished(stage))["time"] == "2023-11-14T22:13:20.999Z"


def test_json_is_one_line_of_ascii_whatever_the_client_says(stage: Stage) -> None:
    exchange = stage.exchange(b"Host: a\r\n", b"GET", b"/\xe9\x1b")
    line = json_line(exchange, ())
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line)["target"] == "/é\x1b"


@pytest.mark.parametrize(
    ("block", "last"),
    [
        (b"", b'"-" "-"'),
        (b"Referer: http://x/\r\nUser-Agent: curl/8 (x)\r\n", b'"http://x/" "curl/8 (x)"'),
        (b'Referer: "\\\r\nUser-Agent: \xe9"\r\n', b'"\\x22\\x5C" "\xe9\\x22"'),
    ],
)
def test_combined(stage: Stage, block: bytes, last: bytes) -> None:
    exchange = stage.exchange(b"Host: a\r\n" + block, target=b'/"a', minor=b"0", ip="::1")
    exchange.status, exchange.sent = 404, 12
    line = combined_line(exchange, ())
    moment = rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    match = re.fullmatch(rb"::1 - - " + moment + rb' "GET /\\x22a HTTP/1\.0" 404 12 (.*)\n', line)
    assert match is not None
    assert match[1] == last


def test_both_formats_by_name() -> None:
    assert (FORMATS["json"], FORMATS["combined"]) == (json_line, combined_line)
