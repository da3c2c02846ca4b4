"""The program log of every role: standard `logging`, one line per event, to standard error or a file.

    2026-01-01T00:00:00.000Z INFO master[123] worker is accepting slot=1 pid=124
    {"time": "2026-01-01T00:00:00.000Z", "level": "info", "process": "master", "process_id": 123, "message": ...}

Messages are constant sentences, their values go into `extra`: `log.info("worker is accepting", extra={"slot":
1})`. (`logging` refuses names of its own there: name, args, msg, message, module, process, thread ...)
All processes append to the same file with one write per line, so lines never mix.
"""

import contextlib
import json
import logging
import math
import os
import re
import select
import stat
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Protocol

#: Values that need no quotes; all others are written as JSON strings, which also keeps them on one line.
_PLAIN: Final = re.compile(r"[^\s\"'=\\\x00-\x1f\x7f]+")
#: What every record has; anything else came in through `extra`.
_STANDARD: Final = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_NOT_DEBUG: Final = ("asyncio", "geventhttpclient", "urllib3")


class LineFormatter(logging.Formatter):
    """Renders a record as `time level who message key=value ...`; a traceback follows, indented."""

    def __init__(self, who: str) -> None:
        super().__init__()
        self._who = who

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline; control characters are escaped, nothing can forge a line."""
        fields = "".join(f" {key}={_value(value)}" for key, value in _extra(record))
        origin = f"{_moment(record)} {record.levelname} {self._who}[{record.process}]"
        line = f"{origin} {_escape(record.getMessage())}{fields}"
        if record.exc_info:
            line += "\n  " + self.formatException(record.exc_info).replace("\n", "\n  ")
        return line


class RemarkFormatter(logging.Formatter):
    """Renders a record as a remark of a command: `who: warning: message key=value ...`."""

    def __init__(self, who: str) -> None:
        super().__init__()
        self._who = who

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline."""
        fields = "".join(f" {key}={_value(value)}" for key, value in _extra(record))
        return f"{self._who}: {record.levelname.lower()}: {_escape(record.getMessage())}{fields}"


class JsonFormatter(logging.Formatter):
    """Renders a record as one JSON object: time, level, process, process_id, message, its values, a traceback.

    Numbers stay numbers; what JSON does not know is text. A value named like one of ours gets a "_" behind its name.
    """

    def __init__(self, who: str) -> None:
        super().__init__()
        self._who = who

    def format(self, record: logging.LogRecord) -> str:
        """Return the object on one line, ASCII only, without a newline."""
        entry: dict[str, object] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "process": self._who,
            "process_id": record.process,
            "message": _as_json(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = _as_json(self.formatException(record.exc_info))
        for key, value in _extra(record):
            entry[f"{key}_" if key in entry else key] = _as_json(value)
        return json.dumps(entry)


class LineHandler(logging.Handler):
    """Appends lines to a file or to standard error ("-"), one write each; it never raises and never waits.

    A line that cannot be written (full disk, closed pipe, a full one that nobody reads) is lost, and counted: logging
    must not stop the gateway.
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._fd = _open(target)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if self._lost and _takes_data(self._fd):
            lost, self._lost = self._lost, 0
            self._write(
                logging.makeLogRecord({"levelname": "ERROR", "msg": "lines of this log were lost", "lost": lost})
            )
        self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        data = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        try:
            # A file takes a line in one piece, so that lines never mix; a pipe says only of so much that it has room.
            step = select.PIPE_BUF if stat.S_ISFIFO(os.fstat(self._fd).st_mode) else len(data)
            for start in range(0, len(data), step):
                if not _takes_data(self._fd):
                    raise BlockingIOError
                os.write(self._fd, data[start : start + step])
        except OSError:
            self._lost += 1

    def reopen(self) -> None:
        """Open the target anew; raises OSError and keeps the old one when that fails."""
        if self._target == "-":
            return
        fresh = _open(self._target)
        # In its place: a thread that is about to write has the number in hand, which must not become another file's.
        os.dup2(fresh, self._fd, inheritable=False)
        os.close(fresh)

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._target != "-" and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()


#: The formats of [log] format.
FORMATS: Final = {"text": LineFormatter, "json": JsonFormatter}


class LogTo(Protocol):
    """What section [log] of any of our programs says at least."""

    @property
    def level(self) -> str:
        """The least level that is logged."""

    @property
    def file(self) -> str:
        """A path, or - for standard error."""

    @property
    def format(self) -> str:
        """One of FORMATS."""


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
    handler.setFormatter(FORMATS[settings.log.format](role if slot < 0 else f"{role}-{slot}"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, LineHandler):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(settings.log.level.upper())
    for name in _NOT_DEBUG:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextlib.contextmanager
def remarks(who: str) -> Iterator[None]:
    """Let what is logged meanwhile, from warnings on, be remarks of a command on standard error."""
    handler = LineHandler("-")
    handler.setFormatter(RemarkFormatter(who))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


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


def catch_strays() -> None:
    """Log what would otherwise be printed to standard error: failures that nobody has caught, and warnings."""
    sys.excepthook = lambda kind, error, trace: stray("the process", kind, error, trace)
    sys.unraisablehook = lambda info: stray(info.object, info.exc_type, info.exc_value, info.exc_traceback)
    threading.excepthook = lambda info: stray(info.thread, info.exc_type, info.exc_value, info.exc_traceback)
    logging.captureWarnings(True)


def stray(
    context: object,
    kind: type[BaseException] | None,
    error: BaseException | str | None,
    trace: TracebackType | None,
) -> None:
    """Log a failure that nobody has caught; `context` is where. (The signature is that of gevent's print_exception.)"""
    if not isinstance(error, BaseException):
        error = (kind or Exception)(error)
    about = (type(error), error, trace)
    logging.getLogger(__name__).error(
        "a failure that nobody expected", exc_info=about, extra={"context": repr(context)}
    )


def _open(target: str) -> int:
    if target == "-":
        return 2
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _takes_data(fd: int) -> bool:
    """Tell whether a write would not wait; into a pipe, one of PIPE_BUF bytes."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    try:
        return bool(poll.poll(0))
    except OSError:  # a limit of no descriptors at all: the write itself will tell
        return True


def _moment(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _extra(record: logging.LogRecord) -> list[tuple[str, object]]:
    return [(key, value) for key, value in record.__dict__.items() if key not in _STANDARD]


def _as_json(value: object) -> object:
    """Return a value that every reader of JSON takes: lone surrogates and infinities are no JSON."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
