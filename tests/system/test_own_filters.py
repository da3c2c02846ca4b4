"""Filters of a user's own in a running gproxy: HUP brings new code, and refuses code that cannot be loaded."""

import os
import signal
from pathlib import Path

from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually

SOURCE = """
class Mark:
    for_api = classmethod(lambda cls, document: cls())

    def after(self, exchange, head):
        return head + b"X-Mark: {}\\r\\n"
"""


def mark(gateway: Gateway) -> str | None:
    """Ask once, and return what the filter has said."""
    with gateway.client() as client:
        return client.get("/").head.value("X-Mark")


def write(path: Path, text: str, age_s: int) -> None:
    """Write a module with a time of its own: Python takes one of the same second and size for the same."""
    path.write_text(text)
    os.utime(path, (age_s, age_s))


def test_new_code_comes_with_a_reload(tmp_path: Path) -> None:
    module = tmp_path / "mark_of_a_test.py"
    write(module, SOURCE.format(1), 1_000_000)
    filters = {"extra": "mark_of_a_test:Mark", "path": tmp_path}
    with EchoBackend() as echo, Gateway(tmp_path, documents({"e": echo.address}), {"filters": filters}) as gateway:
        assert mark(gateway) == "1"
        write(module, SOURCE.format(2), 2_000_000)
        gateway.signal(signal.SIGHUP)
        eventually(lambda: mark(gateway) == "2", about="the new code is in use")
        told = gateway.stats()["filters"]
        assert [(entry["name"], entry["errors"], entry["workers_without"]) for entry in told] == [
            ("mark_of_a_test:Mark", 0, 0)
        ]
        assert told[0]["calls"] >= 2
        assert 'gproxy_filter_calls_total{filter="mark_of_a_test:Mark"}' in gateway.control_text("/metrics")
        write(module, "class Mark:\n", 3_000_000)
        gateway.signal(signal.SIGHUP)
        eventually(lambda: "reload failed, the old settings and workers stay" in gateway.log(), 30)
        assert "filter mark_of_a_test:Mark cannot be loaded" in gateway.log()
        assert mark(gateway) == "2"
