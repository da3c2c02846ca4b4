"""Stored answers of a whole node: all workers have them, whatever becomes of a worker or of the configuration."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually


class Counting:
    """A server whose answers are numbered; it answers while `is_open`."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_open = threading.Event()
        self.is_open.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked += 1
                body = b"%d" % server.asked
                server.is_open.wait(10)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.close()


def ask(gateway: Gateway, target: str = "/") -> bytes:
    """Ask over a connection of its own: any worker may take it."""
    with gateway.client() as client:
        return client.get(target).body


def test_answers_of_a_node(tmp_path: Path, server: Counting) -> None:
    config = documents({"one": server.address}, api={"cache": {"ttl_s": 600}})
    with Gateway(tmp_path, config, {"gproxy": {"workers": 2}}) as gateway:
        assert {ask(gateway) for _ in range(40)} == {b"1"}
        assert len([worker for worker in gateway.workers() if worker["accepted"]]) > 1

        server.is_open.clear()
        found: list[bytes] = []
        clients = [threading.Thread(target=lambda: found.append(ask(gateway, "/slow"))) for _ in range(24)]
        for client in clients:
            client.start()
        eventually(lambda: server.asked > 1, about="one is forwarded")
        server.is_open.set()
        for client in clients:
            client.join()
        assert len(found) == 24
        assert server.asked <= 3  # two workers may begin in the same moment

        before = server.asked
        killed = min(gateway.worker_pids())
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: killed not in gateway.worker_pids() and len(gateway.worker_pids()) == 2, 30)
        assert {ask(gateway) for _ in range(20)} == {b"1"}
        assert server.asked == before

        eventually(lambda: gateway.stats()["apis"][0]["cache_hits"] >= 59)
        assert gateway.stats()["apis"][0]["cache_stored"] == server.asked
        assert 'gproxy_cache_hits_total{api="one"}' in gateway.control_text("/metrics")

        assert json.loads(gateway.control_text("/cache/purge", "POST"))["purged"] is True
        assert {ask(gateway) for _ in range(20)} == {b"%d" % (before + 1)}
