"""The program log of every role: standard `logging`, one line per event, to standard error or a file.

    2026-01-01T00:00:00.000Z INFO master[123] worker is accepting slot=1 pid=124

Messages are constant sentences, their values go into `extra`: `log.info("worker is accepting", extra={"slot":
1})`. (`logging` refuses names of its own there: name, args, msg, message, module, process, thread ...)
All processes append to the same file with one write per line, so lines never mix.
"""

import json
import logging
import os
import re
import time
from typing import Final, Protocol

#: Values that need no quotes; all others are written as JSON strings, which also keeps them on one line.
_PLAIN: Final = re.compile(r"[^\s\"'=\\\x00-\x1f\x7f]+")
#: What every record has; anything else came in through `extra`.
_STANDARD: Final = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_NOT_DEBUG: Final = ("asyncio", "geventhttpclient", "urllib3")


class LineFormatter(logging.Formatter):
    """Renders a record as `time level who message key=value ...`; a traceback follows, indented."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline; control characters are escaped, nothing can forge a line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        extra = [(key, value) for key, value in record.__dict__.items() if key not in _STANDARD]
        fields = "".join(f" {key}={_value(value)}" for key, value in extra)
        origin = f"{moment}.{int(record.msecs):03d}Z {record.levelname} {self._role}[{record.process}]"
        line = f"{origin} {_escape(record.getMessage())}{fields}"
        if record.exc_info:
            line += "\n  " + self.formatException(record.exc_info).replace("\n", "\n  ")
        return line


class LineHandler(logging.Handler):
    """Appends lines to a file or to standard error ("-"), one write each, and never raises.

    A line that cannot be written (full disk, closed pipe) is dropped: logging must not stop the gateway.
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._fd = _open(target)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        data = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        try:
            os.write(self._fd, data)
        except OSError:
            return

    def reopen(self) -> None:
        """Open the target anew; raises OSError and keeps the old one when that fails."""
        old, self._fd = self._fd, _open(self._target)
        if self._target != "-":
            os.close(old)

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._target != "-" and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()


class LogTo(Protocol):
    """What section [log] of any of our programs says at least."""

    @property
    def level(self) -> str:
        """The least level that is logged."""

    @property
    def file(self) -> str:
        """A path, or - for standard error."""


class HasLog(Protocol):
    """Settings of any of our programs."""

    @property
    def log(self) -> LogTo:
        """What to log, and where."""


def setup(settings: HasLog, role: str, slot: int = -1) -> None:
    """Make this process log as `role` (a worker as `worker-SLOT`). Raises OSError for a file it cannot open.

    Called again it replaces the earlier setup, so a forked child and a reload may call it.
    """
    handler = LineHandler(settings.log.file)
    handler.setFormatter(LineFormatter(role if slot < 0 else f"{role}-{slot}"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, LineHandler):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(settings.log.level.upper())
    for name in _NOT_DEBUG:
        logging.getLogger(name).setLevel(logging.WARNING)


def reopen() -> None:
    """Open the log file anew (after it was moved away by log rotation); on failure say so in the old one."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LineHandler):
            try:
                handler.reopen()
            except OSError as error:
                logging.getLogger(__name__).error(
                    "cannot reopen the log file, writing on to the old one", extra={"reason": error}
                )


def _open(target: str) -> int:
    if target == "-":
        return 2
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
