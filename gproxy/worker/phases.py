"""What a request waited for before its server had it, and the attempts that came to nothing.

Both are kept only for requests that wait, or that are tried again: most do neither.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from gproxy.core.end_state import CONNECT

if TYPE_CHECKING:
    from gproxy.core.backends import Server
    from gproxy.worker.exchange import Exchange


class Try(NamedTuple):
    """An attempt that was followed by another one; times in monotonic seconds. `status` 0: there was no answer.

    `span_id` is that of its span, b"" when its server was not told any.
    """

    server: Server
    status: int
    code: str
    reason: str
    began: float
    ended: float
    span_id: bytes


class Phases:
    """How long each phase took in seconds, by its letter (core/end_state.py); that of CONNECT is the last attempt's.

    `current` is the phase that has begun and not ended, "" without one; `ended` is when the last one did, `ready` when
    the last one did that was no connecting. `earlier` are the attempts before the last one.
    """

    __slots__ = ("_began", "_took", "current", "earlier", "ended", "ready")

    def __init__(self) -> None:
        self._took: dict[str, float] = {}
        self._began = 0.0
        self.current = ""
        self.ended = self.ready = 0.0
        self.earlier: list[Try] = []

    def begin(self, phase: str) -> None:
        """Begin to wait."""
        self.current = phase
        self._began = monotonic()

    def end(self) -> None:
        """What was waited for is there."""
        self.ended = monotonic()
        if self.current != CONNECT:
            self.ready = self.ended
        self._took[self.current] = self._took.get(self.current, 0.0) + self.ended - self._began
        self.current = ""

    def took_s(self, phase: str, now_s: float) -> float:
        """Return how long a phase took, or has taken so far."""
        return self._took.get(phase, 0.0) + (now_s - self._began if self.current == phase else 0.0)

    def give_up(self, exchange: Exchange, status: int, code: str, reason: str) -> None:
        """Note that another attempt will follow the one that is over."""
        assert exchange.server is not None
        began = max(exchange.attempted, self.ready)
        span_id, trace = b"", getattr(exchange, "trace", None)
        if trace is not None:
            span_id, trace.call_id = trace.call_id, b""
        self.earlier.append(Try(exchange.server, status, code, reason, began, monotonic(), span_id))
        self.current = ""
        self._took.pop(CONNECT, None)


_NONE: Final = Phases()


def phases_of(exchange: Exchange) -> Phases:
    """Return the phases of an exchange, to be added to."""
    try:
        return exchange.phases
    except AttributeError:
        exchange.phases = made = Phases()
        return made


def phases_so_far(exchange: Exchange) -> Phases:
    """Return the phases of an exchange, to be read."""
    return getattr(exchange, "phases", _NONE)
