"""What the control endpoint says at /health: per server its state, why, since when, and the last conversation."""

from collections.abc import Iterable
from typing import Any

from gproxy.monitor.health import Subject
from gproxy.monitor.probe import Transcript


def document(node: str, subjects: Iterable[Subject], now_s: float, wall_ms: int) -> dict[str, Any]:
    """Return the answer for these servers; `now_s` is the monotonic clock, `wall_ms` the one since 1970."""
    return {"node": node, "servers": [_server(subject, now_s, wall_ms) for subject in subjects]}


def _server(subject: Subject, now_s: float, wall_ms: int) -> dict[str, Any]:
    health, target = subject.health, subject.target
    return {
        "name": target.name,
        "address": str(target.endpoint),
        "state": health.state.name.lower(),
        "since_s": round(now_s - health.since_s, 3),
        "noticed_by": "health_check",
        "reason": subject.fault,
        "in_a_row": health.in_a_row,
        "flips": subject.flips,
        "flips_last_minute": health.flips_until(now_s),
        "flapping": health.is_flapping(now_s),
        "next_check_in_s": max(0.0, round(subject.due_s - now_s, 3)),
        "check": target.document,
        "last": _transcript(subject.last, wall_ms),
        "last_failure": _transcript(subject.last_failure, wall_ms),
    }


def _transcript(transcript: Transcript | None, wall_ms: int) -> dict[str, Any] | None:
    if transcript is None:
        return None
    return {
        "age_s": max(0, wall_ms - transcript.began_ms) / 1000,
        "fault": transcript.fault,
        "kind": None if transcript.kind is None else transcript.kind.name.lower(),
        "request": transcript.request,
        "status": transcript.status,
        "head": transcript.head,
        "body": transcript.body,
        "connected_ms": transcript.connected_ms,
        "answered_ms": transcript.answered_ms,
        "ended_ms": transcript.ended_ms,
    }
