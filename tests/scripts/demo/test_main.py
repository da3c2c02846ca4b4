import contextlib
import http.client
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from scripts.demo.options import DemoError, Options, check_ports, read_options
from scripts.processes import free_ports

main = importlib.import_module("scripts.demo.__main__")


def test_other_backend_ports_give_a_copy_of_the_example(tmp_path: Path) -> None:
    options = read_options(["--run-dir", str(tmp_path), "--backend-port", "9101"])
    copy = main.example(options)
    assert copy.parent == tmp_path
    addresses = [server["address"] for server in yaml.safe_load(copy.read_text())["servers"]]
    assert addresses == ["127.0.0.1:9101", "127.0.0.1:9102"]
    assert main.example(read_options([])) == main.EXAMPLE


def four_free_ports() -> tuple[int, int, int]:
    """Return the gateway's and the control port, and the first of two in a row for the backends."""
    while True:
        port, control, first = free_ports(3)
        with contextlib.suppress(DemoError):
            check_ports(Options(port, control, (first, first + 1), 2, Path()))
            return port, control, first


def test_the_demonstration_runs_and_stops_cleanly(tmp_path: Path) -> None:
    port, control, backend_port = four_free_ports()
    command = [sys.executable, "-m", "scripts.demo", "--port", str(port), "--control-port", str(control)]
    command += ["--backend-port", str(backend_port), "--run-dir", str(tmp_path / "run")]
    environment = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        shown = ""
        for line in demo.stdout:
            shown += line
            if "Ctrl-C" in line:
                break
        assert "gproxy is running" in shown, shown
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/users/ada")
        assert connection.getresponse().status == 404
        connection.close()
        demo.send_signal(signal.SIGTERM)
        assert "stopped" in demo.stdout.read()
    assert demo.returncode == 0
