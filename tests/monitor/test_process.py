"""The monitor as a real process, forked the way the master does it."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gproxy import settings
from gproxy.master.child import MONITOR, ROLES, fork
from gproxy.master.listen import Listener, open_listener
from gproxy.role import NO_SLOT, Context
from gproxy.shared import layout
from gproxy.shared.table import Table, now_ms
from tests.harness.waiting import eventually
from tests.master.running import connect


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=64)
    made.cells[layout.MASTER_HEARTBEAT] = now_ms()
    yield made
    made.close()


@pytest.fixture(params=["127.0.0.1:0", "unix:{}/control.sock"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    made = open_listener(request.param.format(tmp_path))
    yield made
    made.close()


@pytest.fixture
def monitor(table: Table, listener: Listener, tmp_path: Path) -> Iterator[int]:
    loaded = settings.load(None, {"log": {"file": str(tmp_path / "log")}})
    context = Context(loaded, table, NO_SLOT, (listener.socket,), os.getpid())
    # The master has no loop, this process may have one from an earlier test: the child must not share its epoll.
    pid = fork(MONITOR, ROLES[MONITOR], context, gevent.reinit)
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):  # the test saw it end
        return


class Connection(http.client.HTTPConnection):
    """HTTP to an address in the form of a bind."""

    def __init__(self, address: str) -> None:
        super().__init__("control", timeout=10)
        self.address = address

    def connect(self) -> None:
        self.sock: socket.socket = connect(self.address)


def test_it_answers_over_a_kept_connection(listener: Listener, monitor: int) -> None:
    connection = Connection(listener.address)
    for path, status in (("/healthz", 200), ("/readyz", 503), ("/stats", 200), ("/none", 404)):
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == status
        assert json.loads(response.read())
    connection.close()


def test_it_shows_that_it_lives_and_ends_when_told(
    table: Table, listener: Listener, monitor: int, tmp_path: Path
) -> None:
    eventually(lambda: table.cells[layout.MONITOR_HEARTBEAT])
    port = "" if listener.address.startswith("unix:") else listener.address.rpartition(":")[2]
    assert table.cells[layout.CONTROL_PORT] == int(port or 0)
    idle = connect(listener.address)  # must not hold it up
    os.kill(monitor, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(monitor, 0)[1]) == 0
    idle.close()
    assert (tmp_path / "log").read_text() == ""


def test_a_broken_request_gets_an_answer_and_harms_nobody(listener: Listener, monitor: int) -> None:
    with connect(listener.address) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert b"400" in client.recv(1000)
    connection = Connection(listener.address)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
