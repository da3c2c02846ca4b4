"""[log] format = json: every line of every role is one object, and what concerns a request names it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.client import RawClient
from tests.harness.site import documents
from tests.harness.waiting import eventually
from tests.master.running import ROOT, Running


def entries(running: Running, message: str = "") -> list[dict[str, Any]]:
    """Return the objects in the log (those with this message)."""
    found = [json.loads(line) for line in running.log().splitlines()]
    return [entry for entry in found if message in ("", entry["message"])]


@pytest.fixture
def refused() -> Iterator[str]:
    """An address that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{nobody.getsockname()[1]}"


def test_every_line_of_every_role_is_an_object(tmp_path: Path, refused: str) -> None:
    content = tmp_path / "content.json"
    lists = documents({"nobody": refused, "sick": refused})
    lists["servers"][1]["health_check"] = {"type": "tcp", "fall": 1}  # the monitor has something to say
    content.write_text(json.dumps(lists))
    command = [sys.executable, "-m", "gproxy.ctl", "--store", f"sqlite:///{tmp_path}/store.db", "apply", "-f"]
    subprocess.run([*command, str(content)], cwd=ROOT, capture_output=True, check=True)
    running = Running(tmp_path, log__format="json", log__level="debug").start()
    try:
        ready = eventually(lambda: entries(running, "ready"), 30)[0]
        host, _, port = ready["addresses"].rpartition(":")
        with RawClient((host, int(port)), 20) as client:
            request_id = client.get("/lost").json()["request_id"]
        (failed,) = eventually(lambda: entries(running, "request failed"))
        assert (failed["request_id"], failed["status"], failed["target"]) == (request_id, 502, "/lost")
        eventually(lambda: [entry for entry in entries(running) if entry["process"] == "monitor"])
        running.send(signal.SIGHUP)
        eventually(lambda: entries(running, "reloaded"), 30)
        os.kill(running.children()[-1], signal.SIGKILL)
        eventually(lambda: [entry for entry in entries(running) if "has died and is replaced" in entry["message"]])
    finally:
        running.send(signal.SIGTERM)
        assert running.wait() == 0
    found = entries(running)
    assert {entry["process"].partition("-")[0] for entry in found} == {"master", "sync", "monitor", "worker"}
    assert all({"time", "level", "process", "process_id", "message"} <= entry.keys() for entry in found)


def test_why_it_cannot_start_is_an_object_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        running = Running(tmp_path, bind=address, log__format="json")
        assert running.start().wait() == 1
    (entry,) = entries(running)
    assert entry["message"] == f"[gproxy] bind = {address}: is in use by another program"
