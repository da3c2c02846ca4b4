"""Nodes that tell what a test wants them to, over real sockets."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gadmin.fleet.timeline import COLUMNS
from gproxy.core.histogram import bucket

#: A worker, as far as pages look.
WORKER = {"slot": 0, "pid": 7, "state": "accepting", "revision": 1}
#: What is told of the health of any server.
HEALTH: dict[str, Any] = {
    "state": "down", "since_s": 7.0, "reason": "unexpected status", "flapping": False, "next_check_in_s": 1.0,
    "last": {"age_s": 0.5, "fault": "status", "request": "GET /up HTTP/1.1", "status": 503, "head": "503 <b>",
             "body": "", "answered_ms": 2.0, "ended_ms": 2.5},
    "last_failure": None,
}  # fmt: skip


class FakeNode:
    """A control endpoint; `asked` has the targets, `delay_s` is how slow it is, `refusal` why it takes
    no question.
    """

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.address = f"127.0.0.1:{port}"
        self.asked: list[str] = []
        self.delay_s = 0.0
        self.us = 1000
        self.events: list[dict[str, Any]] = []
        self.explanation: dict[str, Any] = {"outcome": "all"}
        self.refusal = ""

    def answer(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        if path == "/events":
            since = int(query.get("since", ["0"])[0])
            return {"events": [one for one in self.events if one["id"] > since], "last": len(self.events)}
        if path == "/health":
            return {"servers": [{"name": query["server"][0], **HEALTH}]}
        number = int(time.monotonic())
        buckets = [bucket(self.us), 10]
        one = {"name": "u1", "requests": 10, "rates": {"10s": {"requests": 1.0}}, "latency_ms": {},
               "circuit": None, "health": "up", "buckets": {"10s": buckets, "start": buckets}}  # fmt: skip
        history = {name: [1, 2, 3] for name in COLUMNS} | {"number": number, "times": [buckets] * 3}
        if "server" in query:
            return {"servers": [{**one, "history": history}], "apis": []}
        return {
            "node": self.name, "version": "1", "ready": True, "revision": 1, "totals": {"requests": 10, "active": 1},
            "figures": {"rates": {"10s": {"requests": 1.0}}, "buckets": {"10s": buckets}},
            "workers": [WORKER], "sync": {"state": "following"}, "not_ready_because": None,
            "servers": [one], "apis": [], "history": history,
        }  # fmt: skip


@contextmanager
def fake_node(name: str) -> Iterator[FakeNode]:
    """Run a node."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            node.asked.append(self.path)
            time.sleep(node.delay_s)
            parts = urlsplit(self.path)
            body = json.dumps(node.answer(parts.path, parse_qs(parts.query))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            node.asked.append(f"{self.path} {question.decode()}")
            told, status = node.explanation, 200
            if self.path == "/check":
                name = json.loads(question)["server"]
                told, status = {"servers": [{"name": name, **HEALTH}]}, 404 if name.startswith("unchecked") else 200
            elif node.refusal:
                told, status = {"error": node.refusal}, 400
            self.send_response(status)
            body = json.dumps(told).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # who asked did not wait
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    node = FakeNode(name, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
