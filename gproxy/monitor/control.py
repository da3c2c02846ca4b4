"""The control endpoint: /healthz, /readyz, /stats and /health as a WSGI application over one `Table`."""

import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from gproxy import __version__
from gproxy.monitor import health_report, stats
from gproxy.monitor.health import Subject
from gproxy.shared.table import Table, now_ms

#: Status line and document of one answer.
Answer = tuple[str, dict[str, Any]]

_OK: Final = "200 OK"
_UNAVAILABLE: Final = "503 Service Unavailable"


class Control:
    """Answers for the node of `table` whose master is `master_pid`; `subjects` are the servers that are checked."""

    def __init__(self, table: Table, master_pid: int, subjects: Callable[[], Mapping[str, Subject]]) -> None:
        self._table = table
        self._master_pid = master_pid
        self._subjects = subjects
        self._node = socket.gethostname()
        self._pages: dict[str, Callable[[str], Answer]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/stats": self._stats,
            "/health": self._health,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        status, body = self._answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        data = json.dumps(body, indent=2).encode("utf-8") + b"\n"
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
        ]
        if status.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    def _answer(self, method: str, path: str, query: str) -> Answer:
        page = self._pages.get(path)
        if page is None:
            return "404 Not Found", {"error": "no such page", "pages": list(self._pages)}
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", {"error": "only GET and HEAD are answered here"}
        return page(query)

    def _healthz(self, query: str) -> Answer:
        reason = stats.not_alive_because(self._table, _now())
        return (_UNAVAILABLE, {"status": "dead", "reason": reason}) if reason else (_OK, {"status": "alive"})

    def _readyz(self, query: str) -> Answer:
        reason = stats.not_ready_because(self._table)
        return (_UNAVAILABLE, {"status": "not_ready", "reason": reason}) if reason else (_OK, {"status": "ready"})

    def _stats(self, query: str) -> Answer:
        return _OK, stats.document(self._table, self._node, __version__, self._master_pid, _now())

    def _health(self, query: str) -> Answer:
        """Answer for the servers named in `?server=`, all when there is none."""
        subjects = self._subjects()
        names = parse_qs(query).get("server", list(subjects))
        unknown = [name for name in names if name not in subjects]
        if unknown:
            return "404 Not Found", {"error": f'no server "{unknown[0]}" is checked'}
        wanted = (subjects[name] for name in names)
        return _OK, health_report.document(self._node, wanted, time.monotonic(), _now().wall_ms)


def _now() -> stats.Now:
    return stats.Now(now_ms(), time.time_ns() // 1_000_000)
