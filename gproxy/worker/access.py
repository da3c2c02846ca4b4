"""The access log: one line per request, formatted on the loop, written by a thread so that no disk can block it.

The queue is bounded in bytes: when the disk is slower than the traffic, lines are dropped and counted.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import gmtime, monotonic, strftime, time
from typing import TYPE_CHECKING

from gproxy.worker.forwarded import Network, client_ip

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.node_part import NodePart

#: bytes that may wait for the disk (some 50,000 lines), and what a queued line takes beside its text
_MOST_WAITING, _PER_LINE = 16 << 20, 64
#: lines are collected this long before they are written together
_FLUSH_S = 0.1


class AccessLog:
    """Collects lines and appends them to `target` ("-" is standard output) from a thread of its own.

    `dropped` is called with the number of lines that were lost. Construction raises OSError.
    """

    def __init__(self, target: str, dropped: Callable[[int], None]) -> None:
        self._target = target
        self._dropped = dropped
        self._lines: deque[bytes] = deque()
        # Bytes that ever came, and that the thread ever took: each has one writer.
        self._came = self._taken = 0
        self._file = _open(target)
        self._wanted = threading.Event()
        self._reopen = False
        self._stopped = False
        self._thread = threading.Thread(target=self._write_on, name="access-log", daemon=True)
        self._thread.start()

    def add(self, line: bytes) -> None:
        """Queue one line (with its newline)."""
        came = self._came + len(line) + _PER_LINE
        if came - self._taken > _MOST_WAITING:
            self._dropped(1)
            return
        self._came = came
        self._lines.append(line)

    def reopen(self) -> None:
        """Open the file anew before the next line is written."""
        self._reopen = True

    def close(self) -> None:
        """Write what is queued, within two seconds, and stop."""
        self._stopped = True
        self._wanted.set()
        self._thread.join(2)

    def _write_on(self) -> None:
        while not self._stopped:
            self._wanted.wait(_FLUSH_S)
            self._flush()
        self._flush()

    def _flush(self) -> None:
        if self._reopen:
            self._reopen = False
            self._swap()
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if not lines:
            return
        data = memoryview(b"".join(lines))
        count, size = len(lines), len(data) + _PER_LINE * len(lines)
        del lines  # the text is in memory twice until here
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self._dropped(count)
        self._taken += size

    def _swap(self) -> None:
        try:
            fresh = _open(self._target)
        except OSError:
            return  # the old file still takes lines
        old, self._file = self._file, fresh
        if self._target != "-":
            os.close(old)


def json_line(exchange: Exchange, trusted: Sequence[Network]) -> bytes:
    """Return one exchange as a line of JSON; times in milliseconds, sizes in bytes."""
    now = time()
    entry: dict[str, object] = {
        "time": strftime("%Y-%m-%dT%H:%M:%S", gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z",
        "client_ip": client_ip(exchange, trusted),
        "method": exchange.method.decode("latin-1"),
        "host": exchange.fields.host_value.decode("latin-1"),
        "target": exchange.target.decode("latin-1"),
        "protocol": exchange.protocol().decode("ascii"),
        "status": exchange.status,
        "code": exchange.code,
        "duration_ms": round((monotonic() - exchange.started) * 1000, 3),
        "bytes_in": exchange.received,
        "bytes_out": exchange.sent,
        "api": exchange.api.name if exchange.api is not None else "",
        "server": exchange.server.name if exchange.server is not None else "",
        "request_id": exchange.request_id.decode("ascii"),
    }
    consumer = getattr(exchange, "consumer", b"")
    if consumer:
        entry["consumer"] = consumer.decode("utf-8", "replace")
    if exchange.reason:
        entry["reason"] = exchange.reason
    if exchange.api is not None and exchange.api.merge is not None:
        parts = getattr(exchange, "parts", {})  # there are none when a filter has answered
        entry["parts"] = [_part(parts[index]) for index in sorted(parts)]
    return json.dumps(entry).encode("ascii") + b"\n"


def _part(part: NodePart) -> dict[str, object]:
    """Return what became of one part of an aggregation."""
    is_given_up = part.client.gone and not part.came
    return {
        "attr": part.rule.name,
        "server": part.server.name if part.server is not None else "",
        "status": 0 if is_given_up else part.status,
        "code": "given_up" if is_given_up else part.code,
        "duration_ms": part.took_ms,
        "attempts": max(part.attempts, 1),
    }


def combined_line(exchange: Exchange, trusted: Sequence[Network]) -> bytes:
    """Return one exchange in the combined format of Apache and nginx."""
    return b'%b - - [%b] "%b %b %b" %d %d "%b" "%b"\n' % (
        client_ip(exchange, trusted).encode("ascii"),
        strftime("%d/%b/%Y:%H:%M:%S +0000", gmtime()).encode("ascii"),
        exchange.method,
        _quoted(exchange.target),
        exchange.protocol(),
        exchange.status,
        exchange.sent,
        _quoted(exchange.field(b"referer") or b""),
        _quoted(exchange.field(b"user-agent") or b""),
    )


FORMATS = {"json": json_line, "combined": combined_line}


def _quoted(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\x5C").replace(b'"', b"\\x22") or b"-"


def _open(target: str) -> int:
    return 1 if target == "-" else os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
