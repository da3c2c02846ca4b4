"""Lines of the access log, by their format. docs/access-log.md has every field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from time import gmtime, monotonic, strftime, time
from typing import TYPE_CHECKING, Final

from gproxy.core.end_state import CONNECT, HEAD, QUEUE, REQUEST, end_state
from gproxy.core.json_line import json_line as as_line
from gproxy.worker.forwarded import Network, client_ip
from gproxy.worker.phases import phases_so_far

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.node_part import NodePart
    from gproxy.worker.phases import Phases, Try

#: Makes a line of an exchange that is over; the networks are those whose claims count.
Format = Callable[["Exchange", Sequence[Network]], bytes]


def json_line(exchange: Exchange, trusted: Sequence[Network]) -> bytes:
    """Return one exchange as a line of JSON; times in milliseconds, sizes in bytes."""
    now, api, server, phases = time(), exchange.api, exchange.server, phases_so_far(exchange)
    entry: dict[str, object] = {
        "time": f"{_moment(int(now))}.{int(now * 1000) % 1000:03d}Z",
        "client_ip": client_ip(exchange, trusted),
        "method": exchange.method.decode("latin-1"),
        "host": exchange.fields.host_value.decode("latin-1"),
        "target": exchange.target.decode("latin-1"),
        "protocol": exchange.protocol().decode("ascii"),
        "status": exchange.status,
        "code": exchange.code,
        "end": end_of(exchange, phases),
        **timings(exchange, phases),
        "bytes_in": exchange.received,
        "bytes_out": exchange.sent,
        "api": api.name if api is not None else "",
        "server": server.name if server is not None else "",
        "address": str(server.endpoint) if server is not None else "",
        "attempts": attempts_of(exchange),
        "request_id": exchange.request_id.decode("ascii"),
    }
    for name in ("refused_by", "reason"):
        if text := getattr(exchange, name, ""):
            entry[name] = text
    if consumer := getattr(exchange, "consumer", b""):
        entry["consumer"] = consumer.decode("utf-8", "replace")
    if (trace := getattr(exchange, "trace", None)) is not None:
        entry["trace_id"] = trace.trace_id.decode("ascii")
    if phases.earlier:
        entry["earlier"] = [_earlier(attempt) for attempt in phases.earlier]
    if api is not None and api.merge is not None:
        parts = getattr(exchange, "parts", {})  # there are none when a filter has answered
        entry["parts"] = [_part(parts[index]) for index in sorted(parts)]
    return as_line(entry)


def end_of(exchange: Exchange, phases: Phases) -> str:
    """Return how an exchange that is over has ended (core/end_state.py)."""
    phase = phases.current or (HEAD if exchange.server is not None else "")
    return end_state(exchange.code, exchange.sent > 0, exchange.is_body_read(), phase)


def timings(exchange: Exchange, phases: Phases) -> dict[str, float]:
    """Return how long an exchange that ends now took, and the phases of that, in milliseconds."""
    now, answered = monotonic(), exchange.answered
    asked = max(exchange.attempted, phases.ended)
    is_asked = exchange.server is not None and phases.current != CONNECT
    return {
        "duration_ms": _ms(now - exchange.started),
        "body_ms": _ms(phases.took_s(REQUEST, now)),
        "queue_ms": _ms(phases.took_s(QUEUE, now)),
        "connect_ms": _ms(phases.took_s(CONNECT, now)),
        "server_ms": _ms((answered or now) - asked) if is_asked else 0.0,
        "transfer_ms": _ms(now - answered) if answered else 0.0,
    }


def attempts_of(exchange: Exchange) -> int:
    """Return how many servers, or times the same one, were asked."""
    return getattr(exchange, "attempts", 0) or int(exchange.server is not None)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _earlier(attempt: Try) -> dict[str, object]:
    return {
        "server": attempt.server.name,
        "address": str(attempt.server.endpoint),
        "status": attempt.status,
        "code": attempt.code,
        "reason": attempt.reason,
        "duration_ms": _ms(attempt.ended - attempt.began),
    }


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
    return _combined(exchange, trusted) + b"\n"


def extended_line(exchange: Exchange, trusted: Sequence[Network]) -> bytes:
    """Return the same with `name=value` of more behind it."""
    server, phases = exchange.server, phases_so_far(exchange)
    more: dict[str, object] = {
        "end": end_of(exchange, phases),
        "code": exchange.code,
        "refused_by": getattr(exchange, "refused_by", ""),
        "api": exchange.api.name if exchange.api is not None else "",
        "server": server.name if server is not None else "",
        "address": server.endpoint if server is not None else "",
        "attempts": attempts_of(exchange),
        **{name: f"{ms:.3f}" for name, ms in timings(exchange, phases).items()},
        "bytes_in": exchange.received,
        "request_id": exchange.request_id.decode("ascii"),
    }
    pairs = " ".join([f"{name}={value or '-' if value != 0 else 0}" for name, value in more.items()])
    return b"%b %b\n" % (_combined(exchange, trusted), pairs.encode("utf-8"))


def _combined(exchange: Exchange, trusted: Sequence[Network]) -> bytes:
    return b'%b - - [%b] "%b %b %b" %d %d "%b" "%b"' % (
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


FORMATS: Final[dict[str, Format]] = {"json": json_line, "combined": combined_line, "extended": extended_line}


def _quoted(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\x5C").replace(b'"', b"\\x22") or b"-"


@lru_cache(maxsize=1)
def _moment(second: int) -> str:
    """Return a time to the second; many lines are of the same one."""
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
