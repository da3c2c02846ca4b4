import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benchmark import slow_backend
from scripts.benchmark.process import wait_until_serving
from scripts.processes import free_ports, started

DELAY_S = 0.05
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    first, second = free_ports(2)
    command = [sys.executable, slow_backend.__file__, str(int(DELAY_S * 1000)), str(first), str(second)]
    with started(command, tmp_path / "log") as process:
        wait_until_serving(process, first, "/", tmp_path / "log")
        yield second


def test_an_answer_comes_whole_after_the_delay_on_a_kept_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        for _ in range(2):
            begin = time.monotonic()
            connection.sendall(REQUEST)
            assert connection.recv(65536) == slow_backend.ANSWER
            assert time.monotonic() - begin >= DELAY_S


def test_connections_do_not_wait_for_each_other(port: int) -> None:
    connections = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(20)]
    begin = time.monotonic()
    for connection in connections:
        connection.sendall(REQUEST)
    for connection in connections:
        assert connection.recv(65536) == slow_backend.ANSWER
        connection.close()
    assert time.monotonic() - begin < 20 * DELAY_S


def test_a_client_that_leaves_early_harms_nobody(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as leaver:
        leaver.sendall(REQUEST)
    with socket.create_connection(("127.0.0.1", port), 5) as stayer:
        stayer.sendall(REQUEST)
        assert stayer.recv(65536) == slow_backend.ANSWER
