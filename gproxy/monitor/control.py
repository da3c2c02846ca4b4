"""The control endpoint: what the node tells about itself, as a WSGI application over one `Table`.

/healthz and /readyz for whoever starts and balances nodes, /metrics for Prometheus, and as JSON /stats, /events and
/health and /mirrors for people and programs that look closer. Three are asked with POST: /explain tells what would
become of the request in a document, /check has the server in one checked at once, /cache/purge forgets stored answers.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from gproxy import __version__
from gproxy.monitor import health_report, mirrors, stats
from gproxy.monitor.asked import BadQuestion
from gproxy.monitor.exposition import CONTENT_TYPE
from gproxy.monitor.health import Subject
from gproxy.monitor.wanted import Wanted
from gproxy.monitor.watch import Watch, as_json
from gproxy.shared.cache import CacheMemory
from gproxy.shared.table import Table, now_ms

_OK: Final = "200 OK"
_UNAVAILABLE: Final = "503 Service Unavailable"
_NOT_FOUND: Final = "404 Not Found"
_BAD_REQUEST: Final = "400 Bad Request"
#: The longest question: one about a request.
_QUESTION_BYTES: Final = 1 << 20


class Answer(NamedTuple):
    """A status line and a body; what is no document is sent as it is."""

    status: str
    body: dict[str, Any] | bytes


class Control:
    """Answers for the node of `table` whose master is `master_pid`; `subjects` are the servers that are checked."""

    def __init__(
        self,
        table: Table,
        master_pid: int,
        subjects: Callable[[], Mapping[str, Subject]],
        watch: Watch,
        explain: Callable[[Mapping[str, Any]], dict[str, Any]],
        check_now: Callable[[str], Subject],
        memory: CacheMemory | None = None,
    ) -> None:
        self._table = table
        self._master_pid = master_pid
        self._subjects = subjects
        self._watch = watch
        self._tell = explain
        self._check_now = check_now
        self._memory = memory
        self._node = socket.gethostname()
        self._pages: dict[str, Callable[[dict[str, list[str]]], Answer]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/stats": self._stats,
            "/events": self._events,
            "/health": self._health,
            "/mirrors": self._mirrors,
        }
        self._questions = {"/explain": self._explain, "/check": self._check, "/cache/purge": self._purge}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        status, body = self._answer(environ)
        is_text = isinstance(body, bytes)
        data = body if isinstance(body, bytes) else as_json(body)
        headers = [
            ("Content-Type", CONTENT_TYPE if is_text else "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
        ]
        if status.startswith("405"):
            headers.append(("Allow", "POST" if environ["PATH_INFO"] in self._questions else "GET, HEAD"))
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        question = self._questions.get(path)
        if question is not None and method == "POST":
            return self._questioned(environ, question)
        page = self._pages.get(path)
        if page is None and question is None:
            return Answer(_NOT_FOUND, {"error": "no such page", "pages": [*self._pages, *self._questions]})
        if page is None or method not in ("GET", "HEAD"):
            allowed = "POST is" if page is None else "GET and HEAD are"
            return Answer("405 Method Not Allowed", {"error": f"only {allowed} answered here"})
        return page(parse_qs(environ.get("QUERY_STRING", "")))

    def _questioned(self, environ: dict[str, Any], question: Callable[[dict[str, Any]], Answer]) -> Answer:
        try:
            asked = json.loads(environ["wsgi.input"].read(_QUESTION_BYTES) or b"{}")
            if not isinstance(asked, dict):
                raise BadQuestion("a question is an object")
            return question(asked)
        except (ValueError, BadQuestion, RecursionError) as error:
            return Answer(_BAD_REQUEST, {"error": str(error)})

    def _explain(self, asked: dict[str, Any]) -> Answer:
        """Answer a question about a request, see monitor/asked.py."""
        return Answer(_OK, {"node": self._node, **self._tell(asked)})

    def _check(self, asked: dict[str, Any]) -> Answer:
        """Have the server {"server": NAME} checked, and answer as /health does."""
        name = asked.get("server")
        if not isinstance(name, str) or name not in self._subjects():
            return Answer(_NOT_FOUND, {"error": f'no server "{name}" is checked'})
        return self._report([self._check_now(name)])

    def _purge(self, asked: dict[str, Any]) -> Answer:
        """Forget all answers that the node has stored."""
        if self._memory is not None:
            self._memory.purge()
        return Answer(_OK, {"node": self._node, "purged": self._memory is not None})

    def _healthz(self, query: dict[str, list[str]]) -> Answer:
        reason = stats.not_alive_because(self._table, _now())
        return (
            Answer(_UNAVAILABLE, {"status": "dead", "reason": reason}) if reason else Answer(_OK, {"status": "alive"})
        )

    def _readyz(self, query: dict[str, list[str]]) -> Answer:
        reason = stats.not_ready_because(self._table)
        return (
            Answer(_UNAVAILABLE, {"status": "not_ready", "reason": reason})
            if reason
            else Answer(_OK, {"status": "ready"})
        )

    def _metrics(self, query: dict[str, list[str]]) -> Answer:
        return Answer(_OK, self._watch.metrics(_now()))

    def _stats(self, query: dict[str, list[str]]) -> Answer:
        """Answer with as much as the query asks for: see `Wanted`."""
        try:
            wanted = Wanted.read(query)
        except ValueError as error:
            return Answer(_BAD_REQUEST, {"error": str(error)})
        told = stats.document(self._table, self._node, __version__, self._master_pid, _now())
        figures = self._watch.figures
        for worker in told["workers"]:
            worker |= figures.worker(worker["slot"], worker["pid"], wanted)
        return Answer(_OK, told | figures.document(wanted))

    def _events(self, query: dict[str, list[str]]) -> Answer:
        """Answer with the events after the number in `?since=`."""
        since = query.get("since", ["0"])[-1]
        if not since.isascii() or not since.isdigit():
            return Answer(_BAD_REQUEST, {"error": "since is the number of an event"})
        self._watch.events.collect()
        return Answer(_OK, {"node": self._node, **self._watch.events.since(int(since))})

    def _mirrors(self, query: dict[str, list[str]]) -> Answer:
        return Answer(_OK, mirrors.document(self._table, self._watch.sampler, self._node))

    def _health(self, query: dict[str, list[str]]) -> Answer:
        """Answer for the servers named in `?server=`, all when there is none."""
        subjects = self._subjects()
        names = query.get("server", list(subjects))
        unknown = [name for name in names if name not in subjects]
        if unknown:
            return Answer(_NOT_FOUND, {"error": f'no server "{unknown[0]}" is checked'})
        return self._report(subjects[name] for name in names)

    def _report(self, subjects: Iterable[Subject]) -> Answer:
        return Answer(_OK, health_report.document(self._node, subjects, time.monotonic(), _now().wall_ms))


def _now() -> stats.Now:
    return stats.Now(now_ms(), time.time_ns() // 1_000_000)
