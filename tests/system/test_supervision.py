"""The whole gateway as an operator runs it: `python -m gproxy` with its real roles, under light load."""

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from tests.harness.waiting import eventually
from tests.master.running import Running, connect, is_alive

REQUEST = b"GET /nothing HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        eventually(lambda: control(running, "/readyz")[0] == 200)
        yield running


def control(gateway: Running, path: str) -> tuple[int, Any]:
    """Ask the control endpoint; return status and document."""
    host, _, port = gateway.addresses("control")[0].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def stats(gateway: Running) -> Any:
    return control(gateway, "/stats")[1]


def accepting(gateway: Running) -> list[int]:
    """Return the pids of the workers that accept."""
    return [worker["pid"] for worker in stats(gateway)["workers"] if worker["state"] == "accepting"]


def whole_answer(client: socket.socket) -> bytes:
    """Return everything until the gateway closes."""
    return b"".join(iter(lambda: client.recv(4096), b""))


def wait_for_workers(gateway: Running, count: int, without: int = 0) -> None:
    """Wait until so many workers accept, none of them with the pid `without`."""
    eventually(lambda: len(set(accepting(gateway)) - {without}) == count)


class Load:
    """Clients that ask with a new connection each until the block ends; `failures` says what went wrong."""

    def __init__(self, gateway: Running, clients: int = 4) -> None:
        self._address = gateway.addresses()[0]
        self._over = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                with connect(self._address) as client:
                    client.sendall(REQUEST)
                    answer = whole_answer(client)
            except OSError as error:
                self.failures.append(repr(error))
                continue
            if answer.startswith(b"HTTP/1.1 404 "):
                self.answered += 1
            else:
                self.failures.append(repr(answer[:60]))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self, requests: int = 50) -> None:
        """Wait until so many more requests were answered."""
        goal = self.answered + requests
        eventually(lambda: self.answered >= goal)


def test_ready_means_that_everything_runs(gateway: Running) -> None:
    told = stats(gateway)
    assert told["pid"] == gateway.process.pid
    assert told["ready"] is True
    assert told["sync"]["state"] == "following"
    assert [worker["state"] for worker in told["workers"]] == ["accepting", "accepting"]
    assert control(gateway, "/healthz") == (200, {"status": "alive"})
    assert {worker["pid"] for worker in told["workers"]} < set(gateway.children())


def test_reloads_lose_no_request(gateway: Running) -> None:
    with Load(gateway) as load:
        for reloads in range(1, 4):
            gateway.send(signal.SIGHUP)
            gateway.wait_for(" reloaded ", times=reloads)
            load.goes_on()
    assert load.failures == []
    eventually(lambda: len(accepting(gateway)) == 2 and len(gateway.children()) == 4)
    assert stats(gateway)["reloads"] == 3
    assert stats(gateway)["worker_restarts"] == 0
    assert stats(gateway)["totals"]["status_4xx"] == load.answered


def test_a_change_of_the_number_of_workers_loses_no_request(gateway: Running) -> None:
    with Load(gateway) as load:
        for number, workers in (
            (signal.SIGTTIN, 3),
            (signal.SIGTTIN, 4),
            (signal.SIGTTOU, 3),
            (signal.SIGTTOU, 2),
            (signal.SIGTTOU, 1),
        ):
            gateway.send(number)
            wait_for_workers(gateway, workers)
            load.goes_on()
    assert load.failures == []


def test_a_killed_worker_loses_only_what_it_had_in_hand(gateway: Running) -> None:
    with Load(gateway, clients=4) as load:
        for _ in range(3):
            load.goes_on()
            victim = accepting(gateway)[0]
            os.kill(victim, signal.SIGKILL)
            wait_for_workers(gateway, 2, without=victim)
        load.goes_on()
    assert len(load.failures) <= 3 * 4
    assert all("Reset" in failure or failure == "b''" for failure in load.failures), load.failures


def test_a_worker_that_stands_still_is_replaced_while_the_other_serves(tmp_path: Path) -> None:
    with Running(tmp_path, hang_timeout_s="2") as gateway:
        victim = accepting(gateway)[0]
        os.kill(victim, signal.SIGSTOP)
        with Load(gateway, clients=2) as load:
            gateway.wait_for(f"stands still and is killed pid={victim}")
            load.goes_on()
        assert len(load.failures) <= 2
        wait_for_workers(gateway, 2)


@pytest.mark.parametrize("role", ["sync", "monitor"])
def test_traffic_and_readiness_do_not_need_sync_or_monitor(gateway: Running, role: str) -> None:
    pid = int(gateway.wait_for(f"{role} started").rpartition("pid=")[2])
    with Load(gateway, clients=2) as load:
        os.kill(pid, signal.SIGKILL)
        gateway.wait_for(f"{role} has died and is replaced")
        assert control(gateway, "/readyz")[0] == 200  # the master keeps the monitor's socket
        load.goes_on()
    assert load.failures == []


def test_term_finishes_and_leaves_nothing(gateway: Running) -> None:
    children = gateway.children()
    with connect(gateway.addresses()[0]) as idle:
        idle.sendall(REQUEST.replace(b"Connection: close\r\n", b""))
        assert idle.recv(4096).startswith(b"HTTP/1.1 404 ")
        gateway.send(signal.SIGTERM)
        assert gateway.wait() == 0
    assert not any(is_alive(pid) for pid in children)
    with pytest.raises(ConnectionRefusedError):
        connect(gateway.addresses()[0])


def test_while_it_drains_a_health_check_hears_that_it_stops(gateway: Running) -> None:
    with connect(gateway.addresses()[0]) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        eventually(lambda: stats(gateway)["totals"]["connections"] == 1)
        gateway.send(signal.SIGTERM)
        gateway.wait_for("stopping ")
        assert control(gateway, "/readyz") == (503, {"status": "not_ready", "reason": "stopping"})
        assert control(gateway, "/healthz")[0] == 200
    assert gateway.wait() == 0


def test_term_resets_no_connection(gateway: Running) -> None:
    with Load(gateway, clients=8) as load:
        load.goes_on(200)
        gateway.send(signal.SIGTERM)
        assert gateway.wait() == 0
    assert all("Refused" in failure for failure in load.failures), load.failures


def test_int_stops_at_once(gateway: Running) -> None:
    with connect(gateway.addresses()[0]) as busy:
        busy.sendall(b"GET / HTTP/1.1\r\n")
        gateway.send(signal.SIGINT)
        assert gateway.wait(5) == 0


def test_a_killed_master_takes_everything_with_it(gateway: Running) -> None:
    children = [psutil.Process(pid) for pid in gateway.children()]
    gateway.send(signal.SIGKILL)
    gateway.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_it_starts_again_after_a_kill_on_the_same_sockets(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Running(tmp_path, bind=f"127.0.0.1:{port}, unix:{tmp_path}/g.sock")
    with running:
        running.send(signal.SIGKILL)
        running.wait()
    eventually(lambda: not _is_answered(running))
    with running:
        running.wait_for("ready ", times=2)
        for index in range(2):
            with running.connect(index) as client:
                client.sendall(REQUEST)
                assert client.recv(100).startswith(b"HTTP/1.1 404 ")


def _is_answered(running: Running) -> bool:
    try:
        running.connect().close()
    except OSError:
        return False
    return True
