import http.client
import time
from pathlib import Path

import pytest

from scripts.benchmark import backends, packages
from scripts.benchmark.configuration import Setup


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.skipif(packages.find("nginx") is None, reason="nginx is not installed")
def test_both_kinds_of_backends_serve_and_are_gone_afterwards(tmp_path: Path) -> None:
    with backends.running(str(packages.find("nginx")), tmp_path / "backends") as running:
        for port in running.behind(Setup()):
            assert get(port, "/service-7/small")[1].startswith(b'{"id": 1')
            assert get(port, "/10k") == (200, b"0123456789" * 1024)
            assert len(get(port, "/1m")[1]) == 2**20
        for port in running.behind(Setup(is_slow=True)):
            begin = time.monotonic()
            assert get(port, "/small")[0] == 200
            assert time.monotonic() - begin >= backends.SLOW_MS / 1000
    with pytest.raises(ConnectionRefusedError):
        get(running.fast[0], "/small")
