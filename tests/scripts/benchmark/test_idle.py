import sys
from pathlib import Path

import pytest

from scripts.benchmark import idle, slow_backend
from scripts.benchmark.process import BenchError, wait_until_serving
from scripts.processes import free_ports, started


def test_memory_per_connection_is_what_the_process_grew_by(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (port,) = free_ports(1)
    with started([sys.executable, slow_backend.__file__, "0", str(port)], log) as process:
        wait_until_serving(process, port, "/", log)
        assert 0 <= idle.bytes_per_connection(port, (process.pid,), 200) < 20_000


def test_a_server_that_closes_is_no_server_to_measure(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (port,) = free_ports(1)
    answer = (
        "import socket, sys\nserver = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nprint('up', flush=True)\n"
        "while True:\n  with server.accept()[0] as one: one.recv(9999)"
    )
    with started([sys.executable, "-c", answer, str(port)], log) as process:
        while not log.read_text():
            assert process.poll() is None
        with pytest.raises(BenchError, match="closed"):
            idle.bytes_per_connection(port, (process.pid,), 1)
