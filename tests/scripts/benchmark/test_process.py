import os
import sys
from pathlib import Path

import pytest

from scripts.benchmark import process, slow_backend
from scripts.processes import free_ports, started


def test_the_processor_time_of_another_process_is_seen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    work = "import time\nwhile time.process_time() < 0.05: pass\nprint('done', flush=True)\ntime.sleep(60)"
    with started([sys.executable, "-c", work], log) as child:
        while "done" not in log.read_text():
            assert child.poll() is None
        assert 0.05 <= process.cpu_s([child.pid]) < 5.0
        assert process.rss_bytes(child.pid) > 1_000_000


def test_cores_are_ones_this_process_may_use() -> None:
    assert set(process.cores()) <= set(range(os.cpu_count() or 1))
    assert process.core_busy_s(process.cores()[0]) > 0


def test_waiting_for_a_server(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (port,) = free_ports(1)
    with started([sys.executable, slow_backend.__file__, "1", str(port)], log) as server:
        process.wait_until_serving(server, port, "/", log)


def test_a_server_that_ends_is_reported_with_its_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(["sh", "-c", "echo no such option; exit 1"], log) as server:
        server.wait()
        with pytest.raises(process.BenchError, match="no such option"):
            process.wait_until_serving(server, free_ports(1)[0], "/", log)
